"""Scenarios from files: the settings, where each of them stands, and faults that say so."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from coterie.core.errors import Fault, ScenarioError
from coterie.scenario import overrides, yaml
from coterie.scenario.check import check
from coterie.scenario.scenario import Scenario, without_implied

Steps = tuple[str | int, ...]


@dataclass
class Source:
    """Settings with the place where each was written: `file.yaml:12:5`, or `--set`.

    keys, values: where the key and the value of a setting stand, by path; None for those that were given beside the file.
    """

    name: str
    settings: dict[str, Any]
    keys: dict[Steps, yaml.Mark | None] = field(default_factory=dict)
    values: dict[Steps, yaml.Mark | None] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    trusted: bool = True

    @cached_property
    def scenario(self) -> Scenario:
        """The scenario, checked as far as settings go; raises ScenarioError with every fault, each with its line."""
        faults = list(self.faults)
        found: Scenario | None = None
        try:
            found = Scenario.of(self.settings, trusted=self.trusted)
        except ScenarioError as error:
            faults += [fault for fault in error.faults if not _touches(fault, self.faults)]
            faults += self._others(list(error.faults), faults)
        else:
            faults += check(found)
        if faults or found is None:
            raise ScenarioError(*self.placed(faults))
        return found

    def _others(self, wrong: list[Fault], known: list[Fault]) -> list[Fault]:
        """What else is wrong: the check of the settings without those that are `wrong`, as far as it is not `known`."""
        rest = deepcopy(self.settings)
        for fault in wrong:
            _drop(rest, _steps(fault.place))
        try:
            return [fault for fault in check(Scenario.of(rest, trusted=self.trusted)) if not _touches(fault, known)]
        except ScenarioError:
            return []

    def placed(self, faults: Iterable[Fault]) -> list[Fault]:
        """The faults in the order of the file, each with the line and column of the setting that it is about."""
        written = {path[:1] for path in self.values}
        found = [(*self._where(fault, written), fault) for fault in faults]
        found.sort(key=lambda one: one[0] or (1 << 62,))  # what has no line comes last, in the order given
        return [Fault(f"{where} {fault.place}".strip(), fault.problem, fault.fix) for _, where, fault in found]

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Within this, a ScenarioError that was raised about the scenario gets the lines of its faults."""
        try:
            yield
        except ScenarioError as error:
            raise ScenarioError(*self.placed(error.faults)) from error.__cause__

    def _where(self, fault: Fault, written: set[Steps]) -> tuple[yaml.Mark | None, str]:
        """Where the setting stands, or the nearest one around it, and the same in words."""
        steps = _steps(fault.place)
        if steps and steps[0] not in Scenario.model_fields and steps[:1] not in written:
            return None, ""  # not about the scenario
        places = self.keys if "no such setting" in fault.problem and steps in self.keys else self.values
        known = next((steps[:length] for length in range(len(steps), 0, -1) if steps[:length] in places), None)
        mark = None if known is None else places[known]
        if mark is not None:
            return mark, f"{self.name}:{mark}"
        beside = known is not None or (steps and any(path[: len(steps)] == steps for path in places))
        return None, "--set" if beside else self.name

    def override(self, override: str) -> None:
        """Puts `path.to.key=value` in place of what the file says; raises ScenarioError where it is no such thing."""
        path, value = overrides.parse(override)
        if path == ("architecture",):
            self.settings = without_implied(self.settings)
        try:
            overrides.apply(self.settings, path, value)
        except ScenarioError as error:
            raise ScenarioError.at(f"--set {override}", error.faults[0].problem, error.faults[0].fix) from None
        for places in (self.keys, self.values):
            for known in [known for known in places if known[: len(path)] == path]:
                del places[known]
            places[path] = None


def read(path: Path | str, *, sets: Sequence[str] = (), trusted: bool = True) -> Source:
    """The source in a file, with `path.to.key=value` settings in place of its own.

    Without a name the scenario has that of its file. Raises ScenarioError where there is no such file, or it cannot be read to
    its end.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        text = path.read_bytes() if size <= yaml.MOST_BYTES else b" " * (yaml.MOST_BYTES + 1)
    except OSError as error:
        raise ScenarioError.at(str(path), f"cannot be read: {error.strerror or error}", "write the path of a scenario's file") from None
    found = parse(text, name=str(path), trusted=trusted)
    if trusted:
        found.settings.setdefault("folder", str(path.absolute().parent))
    found.settings.setdefault("name", re.sub(r"[\x00-\x1f\x7f]", " ", path.stem)[:100])
    faults: list[Fault] = []
    for override in sets:
        try:
            found.override(override)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(*faults)
    return found


def parse(text: str | bytes, *, name: str = "scenario", trusted: bool = False) -> Source:
    """The source in a text, by default one that came from elsewhere; raises ScenarioError where it cannot be read to its end."""
    try:
        document = yaml.read(text)
        settings = dict(yaml.expect_mapping(document))
    except ScenarioError as error:
        raise ScenarioError(*(Fault(f"{name}:{f.place}" if f.place else name, f.problem, f.fix) for f in error.faults)) from None
    return Source(
        name,
        settings,
        dict(document.keys),
        {**document.values, **{steps: mark for steps, mark, _ in document.faults}},
        [fault for *_, fault in document.faults],
        trusted,
    )


def load(path: Path | str, *, sets: Sequence[str] = ()) -> Scenario:
    """The scenario in a file of the user's own; raises ScenarioError with every fault."""
    return read(path, sets=sets).scenario


def _steps(place: str) -> Steps:
    """A fault's place as a path; what stands behind a blank (a file, a row) belongs to the setting before it."""
    first, *rest = place.partition(" ")[0].split(".")
    inner = (int(step) if step.isdecimal() and len(step) < 10 else step for step in rest if step)
    return (first, *inner) if first else tuple(inner)


def _touches(fault: Fault, known: Iterable[Fault]) -> bool:
    """Whether a known fault is at the same place, above it or below it."""
    steps = _steps(fault.place)
    return any(steps[: len(other)] == other[: len(steps)] for other in (_steps(at.place) for at in known))


def _drop(settings: Any, steps: Steps) -> None:
    """Takes out what stands at the end of a path, or the last thing there is on the way."""
    for number, step in enumerate(steps):
        inner = settings.get(step) if isinstance(settings, Mapping) else None
        if number == len(steps) - 1 or not isinstance(inner, Mapping) or steps[number + 1] not in inner:
            if isinstance(settings, dict):
                settings.pop(step, None)
            return
        settings = inner
