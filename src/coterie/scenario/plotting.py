"""The attacks of a scenario made ready: who of its nodes attacks, with what, and what they train on in place of their samples."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coterie import attacks
from coterie.adversaries.conduct import EVERY, Conduct
from coterie.adversaries.plot import Plot
from coterie.attacks.attack import ATTACKS, DataAttack
from coterie.core import draws
from coterie.core.errors import Fault, ScenarioError
from coterie.core.ids import NodeId
from coterie.learning.poisoning import Poisoning, Probe
from coterie.scenario.attacks import Attack
from coterie.scenario.faults import within
from coterie.scenario.roles import span
from coterie.tasks.ragged import Ragged
from coterie.tasks.stored import Followed, Stored
from coterie.tasks.task import FederatedTask

if TYPE_CHECKING:
    from coterie.scenario.setup import Setup

Ids = NDArray[np.int64]
NAMED = 8
"""So many attackers are named in words."""


def plots_of(setup: "Setup") -> tuple[Plot, ...]:
    """All attacks, in the order of the scenario; raises ScenarioError with every fault."""
    found, faults = [], list[Fault]()
    for place, entry in enumerate(setup.scenario.attacks):
        try:
            found.append(_plot(setup, entry, place))
        except ScenarioError as error:
            faults += within(f"attacks.{place}", error.faults)
    if faults:
        raise ScenarioError(*faults)
    return tuple(found)


def _plot(setup: "Setup", entry: Attack, place: int) -> Plot:
    thing = _thing(entry)
    outside = isinstance(thing, Conduct) and thing.on_links
    if not outside and entry.who.links is not None:
        raise ScenarioError.at("who.links", f"{entry.name} is played by members", "name nodes, or take interference")
    draw = draws.public(setup.scenario.seed, "attackers", place)
    when = entry.when
    first = when.once if when.once is not None else when.first or 0
    last = first if when.once is not None else inf if when.last is None else when.last
    return Plot(
        entry.name,
        thing,
        nodes=() if outside else _members(setup, entry, draw),
        links=_links(setup, entry, draw) if outside else frozenset(),
        first=first,
        last=last,
        stealth=when.stealthy,
        knows=entry.sees,
    )


def _thing(entry: Attack) -> Any:
    if entry.name in ATTACKS.names():
        return attacks.build(entry.name, **entry.params)
    return EVERY.entry(entry.name).thing(**entry.params)


def _members(setup: "Setup", entry: Attack, draw: np.random.Generator) -> tuple[int, ...]:
    """The nodes that attack, ascending."""
    who = entry.who
    able = setup.trainers
    fixed = setup.roles.aggregator
    if not setup.coupled and not fixed.rotates:
        able = np.setdiff1d(able, fixed.candidates)
    if who.nodes is not None:
        return _named(setup, who.nodes, able)
    count = round((who.share or 0) * len(able)) if who.number is None else who.number
    if not count:
        raise ScenarioError.at("who.share", f"{who.share:g} of {len(able)} nodes that could attack is nobody", "write {number: 1}")
    if count > len(able):
        raise ScenarioError.at("who.number", f"{count} nodes are to attack, of {len(able)} that could", f"write at most {len(able)}")
    luck = draw.random(setup.nodes)[able]
    if who.position == "anywhere":
        rank = luck
    else:
        degrees = setup.graph.degrees()[able]
        rank = (-degrees if who.position == "central" else degrees) + luck  # luck is below 1, and settles ties
    return tuple(np.sort(able[np.argsort(rank, kind="stable")[:count]]).tolist())


def _named(setup: "Setup", items: tuple[int | str, ...], able: Ids) -> tuple[int, ...]:
    names = None
    found: set[int] = set()
    for item in items:
        both = span(item)
        if both is None:
            names = list(setup.task.names) if names is None else names
            if item not in names:
                raise ScenarioError.at("who.nodes", f"there is no node called {item!r}", "write ids, ranges, or names of the partition")
            both = (names.index(item), names.index(item))
        if both[1] >= setup.nodes:
            raise ScenarioError.at("who.nodes", f"there is no node {both[1]}", f"ids go from 0 to {setup.nodes - 1}")
        found.update(range(both[0], both[1] + 1))
    wrong = sorted(found - set(able.tolist()))
    if wrong:
        aggregates = not setup.coupled and wrong[0] in setup.roles.aggregator.candidates
        problem = "aggregates: nothing protects from it, and its attack would prove nothing" if aggregates else "never trains"
        raise ScenarioError.at("who.nodes", f"node {wrong[0]} {problem}", "name others")
    return tuple(sorted(found))


def _links(setup: "Setup", entry: Attack, draw: np.random.Generator) -> frozenset[tuple[int, int]]:
    """The links of an outsider, in both directions."""
    who = entry.who
    if who.nodes is not None or who.position != "anywhere":
        raise ScenarioError.at("who", f"{entry.name} is played on links", "write {links: [[0, 1]]}, or a number or share of them")
    if who.links is not None:
        chosen = list(who.links)
        for a, b in chosen:
            if max(a, b) >= setup.nodes or a == b or not setup.graph.has_edge(a, b):
                raise ScenarioError.at("who.links", f"nodes {a} and {b} are not linked", "name two neighbours")
    else:
        edges = setup.graph.edges()
        count = round((who.share or 0) * len(edges)) if who.number is None else who.number
        if not 0 < count <= len(edges):
            raise ScenarioError.at("who", f"{count} of {len(edges)} links", "write another number")
        chosen = [tuple(edge) for edge in edges[np.sort(draw.permutation(len(edges))[:count])].tolist()]
    return frozenset([*((a, b) for a, b in chosen), *((b, a) for a, b in chosen)])


def words(setup: "Setup") -> Iterator[str]:
    """Each attack in words, for who asks what would run."""
    for entry, plot in zip(setup.scenario.attacks, setup.plots, strict=True):
        links = sorted((a, b) for a, b in plot.links if a < b)
        some = ", ".join([*map(str, plot.nodes[:NAMED]), *(f"{a} – {b}" for a, b in links[:NAMED])])  # noqa: RUF001
        more = len(plot.nodes) + len(links) - NAMED
        where = f"{'on links' if links else 'nodes'} {some}" + (f" and {more} more" if more > 0 else "")
        rounds = "in every round" if plot.last == inf and not plot.first else f"from round {plot.first} on"
        if plot.last < inf:
            rounds = f"in round {plot.first}" if plot.last == plot.first else f"in rounds {plot.first} to {int(plot.last)}"
        knowing = f", knowing {' and '.join(entry.knowledge)}" if plot.on_updates else ""
        yield f"{plot.name}: {where}, {rounds}{knowing}"


# ---- what attackers train on


def poisoned(setup: "Setup") -> tuple[FederatedTask, Poisoning | None]:
    """The task with what attackers train on behind its samples, and where that is; raises ScenarioError."""
    task, plots = setup.shards, [(place, plot) for place, plot in enumerate(setup.plots) if isinstance(plot.thing, DataAttack)]
    if not plots:
        return task, None
    nodes = sorted({node for _, plot in plots for node in plot.nodes})
    if isinstance(task.inputs, Stored):
        held = int(task.train.sizes[nodes].sum()) * len(plots)
        task.inputs.source.check_held(held, "what attackers train on", "attacks")
    inputs, targets, sizes, instead_of = list[NDArray[Any]](), [task.targets], list[int](), list[NDArray[np.int64]]()
    rounds: dict[int, tuple[tuple[int, float, int], ...]] = {}
    for node in nodes:
        mine = [(place, plot) for place, plot in plots if node in plot.members]
        known: dict[tuple[int, ...], int] = {}
        spans = []
        for first, last in _spans([plot for _, plot in mine]):
            active = [(place, plot) for place, plot in mine if plot.on(node, first)]
            key = tuple(place for place, _ in active)
            if not active:
                continue
            if key not in known:
                known[key] = len(sizes)
                features, labels = _samples(setup, task, node, active)
                inputs.append(features)
                targets.append(labels)
                sizes.append(len(labels))
                instead_of.append(task.train[node])
            spans.append((first, last, known[key]))
        rounds[node] = tuple(spans)
    whole = replace(task, inputs=_followed(task.inputs, inputs, instead_of), targets=np.concatenate(targets))
    return whole, Poisoning(Ragged.contiguous(np.array(sizes, np.int64), len(task.targets)), rounds, tuple(_probes(setup, plots)))


def _followed(samples: NDArray[Any] | Stored, parts: list[NDArray[Any]], instead_of: list[NDArray[np.int64]]) -> NDArray[Any] | Stored:
    """The samples of all nodes, and behind them the parts that stand in the place of those at `instead_of`."""
    if not isinstance(samples, Stored):
        return np.concatenate([samples, *parts])
    behind = np.concatenate(parts) if parts else np.zeros((0, *samples.shape[1:]), samples.dtype)
    return Followed(samples, behind, samples.rows[np.concatenate([np.zeros(0, np.int64), *instead_of])])


def _spans(plots: list[Plot]) -> Iterator[tuple[int, float]]:
    """The runs of rounds in which the same of them are played."""
    begins = sorted({0, *(plot.first for plot in plots), *(int(plot.last) + 1 for plot in plots if plot.last < inf)})
    yield from zip(begins, [*(begin - 1 for begin in begins[1:]), inf], strict=True)


def _samples(setup: "Setup", task: FederatedTask, node: int, active: list[tuple[int, Plot]]) -> tuple[NDArray[Any], NDArray[Any]]:
    """The training part of an attacker after its attacks, one after the other."""
    part = task.train[node]
    features, labels = np.asarray(task.inputs[part]), task.targets[part]
    secret = draws.derived_secret(setup.scenario.seed, node)
    for place, plot in active:
        thing = told(plot, task, node)
        try:
            features, labels = thing(features, labels, draws.private(secret, f"attack/{plot.name}", place))
        except ScenarioError as error:
            raise ScenarioError(*within(f"attacks.{place}", error.faults)) from None
    return features.astype(task.inputs.dtype, copy=False), labels.astype(task.targets.dtype, copy=False)


def told(plot: Plot, task: FederatedTask, node: int) -> DataAttack:
    """The attack with what only the scenario knows: how many classes there are, and which part of a pattern is the attacker's."""
    thing = plot.thing
    assert isinstance(thing, DataAttack)
    params = dict(thing.params)
    if "classes" in params and params["classes"] is None:
        params["classes"] = len(task.classes)
    if params.get("parts", 1) > 1 and params.get("part") is None:
        params["part"] = plot.nodes.index(node) % params["parts"]
    return replace(thing, params=params)


def _probes(setup: "Setup", plots: list[tuple[int, Plot]]) -> Iterator[Probe]:
    """What tells how well backdoors and targeted flips succeed, on the common test set."""
    task, seen = setup.task, list[tuple[str, str]]()
    for _, plot in plots:
        thing = plot.thing
        assert isinstance(thing, DataAttack)
        target, source = thing.params.get("target"), thing.params.get("source")
        if target is None or (repr(thing.params), plot.name) in seen:
            continue
        wanted = task.common_targets != target if source is None else task.common_targets == source
        if not wanted.any():
            continue
        some = np.asarray(task.common_inputs[wanted])
        name = "attack_success" if not seen else f"attack_success_{len(seen) + 1}"
        seen.append((repr(thing.params), plot.name))
        yield Probe(name, thing.triggered(some) if thing.has_trigger else some, int(target))


# ---- what is wrong


def faults(setup: "Setup") -> Iterator[Fault]:
    """What does not go together between attacks and the rest, where roles and graph are known."""
    if not setup.scenario.attacks:
        return
    try:
        plots = setup.plots
    except ScenarioError as error:
        yield from error.faults
        return
    if setup.scenario.faults is not None:
        yield Fault("attacks", "there are faults too, and what is to be blamed on whom would be guesswork", "leave out faults or attacks")
    if set(setup.trainers.tolist()) <= setup.attackers:
        yield Fault("attacks", "every node that trains is an attacker", "leave somebody honest")
    for place, (entry, plot) in enumerate(zip(setup.scenario.attacks, plots, strict=True)):
        yield from within(f"attacks.{place}", _of_one(setup, entry, plot))
    yield from _overlaps(plots)


def _of_one(setup: "Setup", entry: Attack, plot: Plot) -> Iterator[Fault]:
    thing = plot.thing
    if plot.first >= setup.scenario.until.rounds:
        place = "when.once" if entry.when.once is not None else "when.from"
        yield Fault(place, f"there is no round {plot.first}", f"rounds go from 0 to {setup.scenario.until.rounds - 1}")
    if plot.stealth is not None and not plot.on_updates:
        yield Fault("when.stealthy", f"{plot.name} sends no update that could be told from others", "leave it out, or attack updates")
    if isinstance(thing, Conduct):
        if thing.silent and not setup.schedule.asynchronous and setup.schedule.deadline_seconds == inf:
            yield from _silence(setup, plot)
    elif plot.on_updates:
        yield from _of_updates(setup, entry, plot)


def _silence(setup: "Setup", plot: Plot) -> Iterator[Fault]:
    """Rounds that would wait for ever, as the first one tells."""
    table = setup.planner.table(0)
    for node in table.aggregators.tolist():
        expected = setup.planner.plan(NodeId(node), 0).exchange_from if setup.coupled else table.collectors[node]
        silent = sum(other in plot.members or (other, node) in plot.links for other in expected)
        if silent and setup.schedule.need(len(expected)) > len(expected) - silent:
            problem = f"node {node} would wait for ever: it expects {len(expected)} messages, and {silent} of them never come"
            yield Fault("", problem, "write schedule: {name: semi-synchronous, deadline_seconds: 10}, or a quorum that does without them")
            return


def _of_updates(setup: "Setup", entry: Attack, plot: Plot) -> Iterator[Fault]:
    lacks = sorted(plot.thing.sees - plot.knows)  # type: ignore[union-attr]
    if lacks:
        needed = [name for name in ("honest", "rule") if name in lacks] or ["own"]
        known = [name for name in entry.knowledge if name not in {"nothing", "own"}]
        names = list(dict.fromkeys([*known, *needed]))
        fix = f"write knowledge: {names[0] if len(names) == 1 else '[' + ', '.join(names) + ']'}"
        yield Fault(
            "knowledge", f"{plot.name} has to see {' and '.join(lacks)}, and its attackers know {' and '.join(entry.knowledge)}", fix
        )
    if not setup.coupled and "weights" in plot.thing.inputs:  # type: ignore[union-attr]
        yield Fault("name", f"{plot.name} aims at the nodes of a graph", "write architecture: decentralized, or take another attack")
    if setup.coupled and setup.schedule.asynchronous:
        problem = "in an asynchronous decentralized federation models answer one another, and there is no round to attack"
        yield Fault("", problem, "write schedule: synchronous or semi-synchronous, or another attack")
    blind = sorted(setup.rule.inputs & {"losses", "reference"}) if "rule" in plot.thing.inputs else []  # type: ignore[union-attr]
    if blind:
        problem = f"{setup.rule.name} goes by {' and '.join(blind)} on others' samples, which no attacker knows"
        yield Fault("", problem, "take an attack that does not search against the rule")


def _overlaps(plots: tuple[Plot, ...]) -> Iterator[Fault]:
    """One node replaces its update in one way at a time."""
    mine = [(place, plot) for place, plot in enumerate(plots) if plot.on_updates]
    for number, (place, plot) in enumerate(mine):
        for other, before in mine[:number]:
            both = sorted(plot.members & before.members)
            if both and plot.first <= before.last and before.first <= plot.last:
                problem = f"node {both[0]} already replaces its updates in these rounds, by attacks.{other} ({before.name})"
                yield Fault(f"attacks.{place}.who", problem, "name other nodes or other rounds")


def faults_with_data(setup: "Setup") -> Iterator[Fault]:
    """What shows on the samples: an attack that does not suit them."""
    for place, plot in enumerate(setup.plots):
        if isinstance(plot.thing, DataAttack):
            yield from within(f"attacks.{place}", _of_samples(setup.task, plot))
    try:
        poisoned(setup)
    except ScenarioError as error:
        yield from error.faults


def _of_samples(task: FederatedTask, plot: Plot) -> Iterator[Fault]:
    params, classes = plot.thing.params, len(task.classes)  # type: ignore[union-attr]
    if plot.name != "feature_noise" and not classes:
        yield Fault("", f"{plot.name} gives samples other labels, and here numbers are predicted", "take feature_noise, or attack updates")
        return
    for name in ("source", "target"):
        label = params.get(name)
        if label is not None and label >= classes:
            yield Fault(name, f"there is no class {label}", f"classes go from 0 to {classes - 1}")
