"""Settings given beside a scenario's file: `training.optimizer.learning_rate=0.05`."""

from collections.abc import Sequence
from typing import Any, get_args

from coterie.core.errors import Fault, ScenarioError
from coterie.scenario import yaml
from coterie.scenario.part import Part
from coterie.scenario.scenario import Scenario


def parse(override: str) -> tuple[yaml.Path, Any]:
    """`path.to.key=value` as a path and a value, which is read as YAML; raises ScenarioError, placed at the override."""
    path, equals, text = override.partition("=")
    keys = path.strip().split(".")
    place = f"--set {override if len(override) <= 60 else override[:57] + '…'}"
    if not equals or not all(keys):
        raise ScenarioError.at(place, "is not a setting", "write path.to.key=value, such as training.batch_size=16")
    try:
        document = yaml.read(text)
    except ScenarioError as error:
        raise ScenarioError.at(place, *_of(error.faults[0])) from None
    if document.faults:
        raise ScenarioError.at(place, *_of(document.faults[0][2]))
    return tuple(int(key) if key.isdecimal() and len(key) < 10 else key for key in keys), document.value


def _of(fault: Fault) -> tuple[str, str]:
    return fault.problem, fault.fix


def apply(settings: dict[str, Any], path: yaml.Path, value: Any) -> None:
    """Puts `value` at `path` into plain settings, in place; short forms on the way are written out."""
    _put(settings, path, value, Scenario)


def _put(holder: Any, path: yaml.Path, value: Any, kind: type[Part] | None) -> None:
    key, rest = path[0], path[1:]
    if isinstance(holder, list):
        _check_index(holder, key)
        known: Any = holder[int(key)]
    else:
        known = holder.get(key)
    if rest:
        inner = _part(kind, key)
        opened = _opened(known, inner)
        _put(opened, rest, value, inner)
        value = opened
    holder[key] = value


def _opened(known: Any, kind: type[Part] | None) -> Any:
    """A copy of a setting that can take settings of its own."""
    if known is None:
        return {}
    if kind is not None:
        known = kind.expanded(known)
    if isinstance(known, list):
        return list(known)
    return dict(known) if isinstance(known, dict) else {}


def _check_index(holder: Sequence[Any], key: Any) -> None:
    if not isinstance(key, int) or key >= len(holder):
        raise ScenarioError.at(str(key), f"there is no item {key}: the list has {len(holder)}", "write the whole list, as in key=[a, b]")


def _part(kind: type[Part] | None, key: str | int) -> type[Part] | None:
    """The class of a part's setting, where that is a part itself."""
    if kind is None or not isinstance(key, str) or key not in kind.model_fields:
        return None
    found = _parts(kind.model_fields[key].annotation)
    return found[0] if found else None


def _parts(annotation: Any) -> list[type[Part]]:
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return [annotation]
    return [part for inner in get_args(annotation) for part in _parts(inner)]
