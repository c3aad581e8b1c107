"""`coterie list`: the names that a scenario may use, with their parameters."""

import importlib
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.outcome import outcome

if TYPE_CHECKING:
    from coterie.core.registry import Entry, Registry

KINDS = {
    "aggregation-rules": ("aggregation", "coterie.aggregation:RULES"),
    "algorithms": ("algorithm", "coterie.algorithms:ALGORITHMS"),
    "attacks": ("attacks", "coterie.adversaries.conduct:EVERY"),
    "availabilities": ("availability", "coterie.environments.availability:AVAILABILITIES"),
    "datasets": ("task.dataset", "coterie.tasks.datasets:DATASETS"),
    "devices": ("device", "coterie.environments.devices:DEVICES"),
    "discounts": ("schedule.discount", "coterie.federation.staleness:DISCOUNTS"),
    "environments": ("environment", "coterie.environments.presets:ENVIRONMENTS"),
    "faults": ("faults.inject", "coterie.environments.faults:FAULTS"),
    "learning-rate-schedules": ("training.learning_rate_schedule", "coterie.learning.schedules:SCHEDULES"),
    "mixings": ("aggregation.mixing", "coterie.aggregation:MIXING"),
    "models": ("task.model", "coterie.learning.models:MODELS"),
    "networks": ("network", "coterie.environments.networks:NETWORKS"),
    "optimizers": ("training.optimizer", "coterie.learning.optimizers:OPTIMIZERS"),
    "partitions": ("partition", "coterie.tasks.partitions:PARTITIONS"),
    "preprocessing": ("task.preprocess", "coterie.tasks.preprocessing:STAGES"),
    "reputations": ("trust", "coterie.trust:REPUTATIONS"),
    "selections": ("participation", "coterie.selection:SELECTIONS"),
    "spreads": ("device.spread", "coterie.environments.spreads:SPREADS"),
    "statistics": ("detection.statistics", "coterie.trust:STATISTICS"),
    "topologies": ("topology", "coterie.topologies:TOPOLOGIES"),
}
"""Kind → where its names stand in a scenario, and its registry."""


def list_kind(
    kind: Annotated[str | None, typer.Argument(metavar="KIND", help=f"One of {', '.join(KINDS)}.", show_default=False)] = None,
    plugin: Annotated[list[str] | None, typer.Option(metavar="FILE", help="A plugin to load first, as in a scenario. Repeatable.")] = None,
) -> None:
    """List the names that a scenario may use for a KIND of thing, with their parameters; without one, the kinds."""
    with outcome():
        from coterie.core.errors import ScenarioError, nearest
        from coterie.scenario import plugins

        plugins.load(plugin or ())
        if kind is None:
            width = max(map(len, KINDS))
            for name, (place, _) in KINDS.items():
                typer.echo(f"{name:<{width}}  {place}")
            return
        if kind not in KINDS:
            raise ScenarioError.at("KIND", f"there is no kind called {kind!r}", nearest(kind, KINDS))
        place, registry = KINDS[kind]
        module, _, name = registry.partition(":")
        _show(getattr(importlib.import_module(module), name), place)


def _show(registry: "Registry[Any]", place: str) -> None:
    typer.echo(f"What {place} may name:")
    for name in registry.names():
        entry = registry.entry(name)
        typer.echo("")
        typer.secho(name, bold=True)
        typer.echo(f"    {entry.doc}")
        for line in _parameters(entry):
            typer.echo(f"    {line}")


def _parameters(entry: "Entry[Any]") -> list[str]:
    """`alpha: number above 0, by default 0.5`, one line a parameter."""
    from coterie.scenario.faults import written

    schema = entry.parameters.model_json_schema()
    lines = []
    for name, about in schema.get("properties", {}).items():
        default = f", by default {written(about['default'])}" if "default" in about else ""
        lines.append(f"{name}: {_kind(about)}{default}")
    return lines


NAMES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "array": "list", "object": "mapping"}
BOUNDS = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


def _kind(about: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "anyOf" in about:
        return " or ".join(_kind(one) for one in about["anyOf"] if one.get("type") != "null")
    if "enum" in about:
        return " or ".join(map(str, about["enum"]))
    words = NAMES.get(about.get("type", ""), "anything")
    bounds = [f"{said} {about[key]:g}" for key, said in BOUNDS.items() if key in about]
    return f"{words} {', '.join(bounds)}" if bounds else words
