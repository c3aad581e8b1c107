"""The settings of a run as dotted paths, and which of them differ between runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from coterie.core.errors import ScenarioError

MOST_CHARACTERS = 1 << 20
DEEPEST = 40


def settings(scenario: str, place: str = "scenario.yaml") -> dict[str, Any]:
    """Dotted path → value of every setting in the text of a resolved scenario.

    What was chosen by name stands at its own path, its parameters below it: `algorithm`, `algorithm.server_rate`. A list of plain
    values is one value; other lists are numbered (`preprocess.0`). Raises ScenarioError where the text is no scenario, too long,
    too deep, or uses aliases (Coterie writes none).
    """
    import yaml

    loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        problem = _refusal(scenario, loader)
        tree = None if problem else yaml.load(scenario, Loader=loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        problem, tree = str(error), None
    if problem or not isinstance(tree, Mapping):
        why = problem or "it is no mapping"
        raise ScenarioError.at(place, f"is not a scenario that Coterie wrote: {why}", "is this the folder of a run?")
    return dict(_flat(tree, ""))


def _refusal(scenario: str, loader: type[Any]) -> str:
    """Why a text is not even loaded; empty where it may be."""
    import yaml

    if len(scenario) > MOST_CHARACTERS:
        return f"it has more than {MOST_CHARACTERS} characters"
    depth = 0
    for event in yaml.parse(scenario, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent):
            return "it uses aliases"
        if depth > DEEPEST:
            return f"it is nested more than {DEEPEST} deep"
    return ""


def _flat(value: Any, path: str) -> list[tuple[str, Any]]:
    if path and isinstance(value, Mapping) and isinstance(value.get("name"), str):
        beside = {key: inner for key, inner in value.items() if key != "name"}
        return [(path, value["name"]), *(_flat(beside, path) if beside else [])]
    if isinstance(value, Mapping) and value:
        parts: Any = value.items()
    elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
        parts = enumerate(value)
    else:
        return [(path, value)]
    return [leaf for name, inner in parts for leaf in _flat(inner, f"{path}.{name}" if path else str(name))]


MISSING = "—"


def written(value: Any) -> str:
    """A setting as one reads it in YAML: `0.3`, `[64, 32]`, `true`, and `—` for one that is not there."""
    match value:
        case None:
            return MISSING
        case bool():
            return "true" if value else "false"
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case dict():
            return "{}"
        case _:
            return str(value)


def differing(runs: Sequence[Mapping[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """Path → value in each run (None where absent), for the settings that are not the same in all, in the first run's order."""
    paths = dict.fromkeys(path for run in runs for path in run)
    values = {path: tuple(run.get(path) for run in runs) for path in paths}
    return {path: found for path, found in values.items() if any(written(value) != written(found[0]) for value in found[1:])}
