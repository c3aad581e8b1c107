"""`coterie check`: say in words what a scenario would run, or everything that is wrong with it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from coterie.cli.arguments import ScenarioFile, Seed, Sets, settings
from coterie.cli.outcome import outcome

if TYPE_CHECKING:
    from coterie.scenario.outlook import Outlook
    from coterie.scenario.setup import Setup


Byzantine = Annotated[
    int | None,
    typer.Option(
        "--byzantine", metavar="F", min=0, help="So many bad updates at every node: which nodes would be protected?", show_default=False
    ),
]


def check(scenario: ScenarioFile, sets: Sets = None, seed: Seed = None, byzantine: Byzantine = None) -> None:
    """Say what a SCENARIO would run, or everything that is wrong with it; nothing is trained."""
    with outcome():
        from coterie.scenario.outlook import outlook
        from coterie.scenario.reading import read
        from coterie.simulator.run import checked

        source = read(scenario, sets=settings(sets, seed=seed))
        with source.placing():
            setup = checked(source.scenario)
            found = outlook(setup)
        lines = [*_lines(setup, found), *_protection(setup, byzantine)]
        width = max(len(heading) for heading, _ in lines)
        typer.secho(setup.scenario.name, bold=True)
        for heading, words in lines:
            typer.echo(f"  {heading:<{width}}  {words}")


def _lines(setup: "Setup", found: "Outlook") -> Iterator[tuple[str, str]]:
    from coterie.reporting.units import counted, data_size, duration, number

    scenario, graph, task = setup.scenario, setup.graph, setup.task
    about = "" if found.exact else "about "
    yield "federation", f"{counted(found.nodes, 'node')}, {scenario.architecture}, {_shape(scenario.topology.name, graph.edge_count)}"
    yield "roles", _roles(setup)
    deadline = scenario.schedule.deadline_seconds
    if deadline is not None:
        yield "schedule", f"{scenario.schedule.name}, a round closes after {duration(deadline)} at the latest"
    least, most = int(task.train.sizes.min()), int(task.train.sizes.max())
    spread = number(least) if least == most else f"{number(least)} to {number(most)}"
    yield (
        "data",
        (
            f"{task.name}, dealt out {_dealt(setup)}: {counted(int(task.train.sizes.sum()), 'sample')} to train on ({spread} a node), "
            f"{number(int(task.test.sizes.sum()))} to test on at the nodes, {number(len(task.common_targets))} in the common test set"
        ),
    )
    yield "model", f"{scenario.task.model.name} of {counted(found.parameters, 'parameter')} ({data_size(found.model_bytes)})"
    yield "learning", f"{scenario.algorithm.name}, {scenario.training.optimizer.name}, {_length(setup)}"
    if scenario.engine == "fast":
        yield "engine", f"fast; nodes are trained {setup.batching}"
    typical = found.typical
    yield (
        "a round",
        (
            f"{about}{counted(round(typical.trainers), 'node')} train on {counted(round(typical.samples), 'sample')}; "
            f"{counted(round(typical.messages), 'message')}, {data_size(typical.bytes)}"
        ),
    )
    yield (
        "in all",
        (f"{_until(setup)}: {about}{counted(found.samples, 'sample')}, {counted(found.messages, 'message')}, {data_size(found.bytes)}"),
    )
    if scenario.baselines:
        yield "baselines", ", ".join(scenario.baselines)
    if words := setup.federation.without_its_aggregator:
        yield "membership", words


def _protection(setup: "Setup", byzantine: int | None) -> Iterator[tuple[str, str]]:
    """Whom the rule protects, and what no rule does."""
    from coterie.scenario import plotting
    from coterie.scenario.guarding import blind
    from coterie.scenario.protection import protection, unguarded

    for words in plotting.words(setup):
        yield "attack", words
    for words in protection(setup, byzantine=byzantine, attackers=setup.attackers or None).words():
        yield "protection", words
    for words in blind(setup):
        yield "detection", words
    for words in unguarded(setup):
        yield "aggregator", words


def _shape(topology: str, edges: int) -> str:
    from coterie.reporting.units import counted

    if not edges:
        return "no edges"
    listed = {"edges": "that are listed", "file": "from a file"}.get(topology)
    return f"{counted(edges, 'edge')} {listed}" if listed else f"{topology} of {counted(edges, 'edge')}"


def _roles(setup: "Setup") -> str:
    from coterie.reporting.units import number

    table, some = setup.planner.table(0), setup.scenario.participation.name != "all"
    counts = (("train", table.trainers), ("aggregate", table.aggregators), ("forward", table.proxies), ("rest", table.idle))
    of = {"train": f" of {number(len(setup.trainers))}"} if some else {}
    words = [f"{number(len(who))}{of.get(does, '')} {does}{'s' if len(who) == 1 else ''}" for does, who in counts if len(who)]
    moves = (
        "; who does what changes from round to round"
        if setup.roles.rotates
        else "; who takes part changes from round to round"
        if some
        else ""
    )
    return f"{', '.join(words)}{moves}"


def _dealt(setup: "Setup") -> str:
    """How, with what differs from the defaults."""
    partition = setup.scenario.partition
    if partition.chosen is None:
        return f"by {setup.task.partition} (auto)"
    usual = {name: field.default for name, field in partition.entry.parameters.model_fields.items()}
    params = ", ".join(f"{name} {value}" for name, value in partition.params.items() if value not in (None, usual[name]))
    return f"by {partition.name} ({params})" if params else f"by {partition.name}"


def _length(setup: "Setup") -> str:
    from coterie.reporting.units import counted

    training = setup.scenario.training
    if training.function is not None:
        return f"your {training.function}"
    length = counted(training.steps, "step") if training.steps is not None else counted(training.epochs or 1, "epoch")
    return f"{length} a round in batches of {training.batch_size or 'everything'}"


def _until(setup: "Setup") -> str:
    from coterie.reporting.units import counted, data_size, duration

    until = setup.scenario.until
    ends = [counted(until.rounds, "round")]
    if until.virtual_seconds is not None:
        ends.append(f"{duration(until.virtual_seconds)} of simulated time")
    if until.updates is not None:
        ends.append(counted(until.updates, "update"))
    if until.bytes is not None:
        ends.append(data_size(until.bytes))
    if until.target is not None:
        ends.append(f"{until.target.metric or setup.task.metric} of {until.target.value:g}")
    if until.converged is not None:
        ends.append(f"{counted(until.converged.patience, 'evaluation')} without better {until.converged.metric}")
    return ends[0] if len(ends) == 1 else f"at most {', or '.join(ends)}"
