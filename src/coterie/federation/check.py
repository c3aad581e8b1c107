"""What is wrong with roles and topology, found before anything starts: every update must have an aggregator to go to."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from coterie.core.errors import Fault
from coterie.core.ids import NodeId
from coterie.federation.plans import Planner
from coterie.federation.roles import Ids
from coterie.federation.routes import UNREACHABLE
from coterie.federation.schedule import FOREVER, Schedule
from coterie.federation.table import RoundTable
from coterie.topologies.graph import merged

ROUNDS_CHECKED = 100
"""Roles that change from round to round are checked this far ahead."""
NAMED = 5


def faults(planner: Planner, rounds: int, *, everyone: bool, isolated: bool, hands_over: bool = False) -> list[Fault]:
    """All faults, each told once, for the first round that has it.

    everyone: all nodes are to get the final model. isolated: nodes are to exchange nothing (each learns alone). hands_over: a moving
    aggregator has server state for its successor.
    """
    found: dict[str, Fault] = {}
    varying = planner.roles.rotates or not planner.static
    for number in range(min(rounds, ROUNDS_CHECKED) + 1 if varying else 1):  # one more: the last model is published, too
        for fault in (
            *_of_round(planner, number, everyone=everyone, isolated=isolated),
            *(_cut_off(planner, number) if hands_over else ()),
        ):
            found.setdefault(f"{fault.place} {fault.problem.partition(' in round ')[0]}", fault)
    return list(found.values()) or list(_idle_proxies(planner, rounds))


def _of_round(planner: Planner, number: int, *, everyone: bool, isolated: bool) -> Iterator[Fault]:
    table = planner.table(number)
    where = f" in round {number}"
    if len(table.trainers) == 0:
        yield Fault("roles.trainer", "nobody trains" + where, "give somebody who is not idle the role of trainer")
    if len(table.aggregators) == 0:
        yield Fault("roles.aggregator", "nobody aggregates" + where, "give somebody who is not idle the role of aggregator")
        return
    lost = table.trainers[table.assigned == UNREACHABLE]
    if len(lost):
        yield Fault(
            "topology", f"no aggregator can be reached{where} by {_names(lost)}", _way(planner, int(lost[0]), int(table.aggregators[0]))
        )
        return
    yield from _unreached(planner, table, number, where, everyone=everyone)
    if planner.roles.coupled and isolated:
        return
    if planner.roles.coupled and not planner.static:
        return  # neighbours that rest in one round meet in another
    if len(table.aggregators) > 1 and not _joined(table):
        fix = "add edges between the groups" if planner.roles.coupled else "add edges between them, or proxies on the way"
        yield Fault("topology", "the nodes that aggregate fall into groups that cannot exchange models" + where, fix)


def _unreached(planner: Planner, table: RoundTable, number: int, where: str, *, everyone: bool) -> Iterator[Fault]:
    """Nodes that the round's model, the server state or the final model cannot get to."""
    if planner.roles.coupled:
        return
    holders = planner.holders(number)
    if len(holders) == 0:
        return  # told already, for the round before
    for role, audience in (("takes part", table.participants), ("is to get the final model", np.arange(planner.graph.nodes))):
        if role != "takes part" and not everyone:
            continue
        others = np.setdiff1d(audience, holders)
        if len(holders) == 1 and planner.complete_or_centre(int(holders[0])):
            continue
        lost = np.array([n for n in others.tolist() if all(table.routes.distance(n, h) == UNREACHABLE for h in holders.tolist())], np.int64)
        if len(lost):
            fix = _way(planner, int(holders[0]), int(lost[0]))
            yield Fault("topology", f"{_names(lost)} {role}{where} and cannot be reached from the aggregator", fix)


def _cut_off(planner: Planner, number: int) -> Iterator[Fault]:
    """A new aggregator that its predecessor cannot reach."""
    table = planner.table(number)
    for node in table.aggregators.tolist():
        before = planner.plan(NodeId(node), number).take_over_from
        if before is not None and table.routes.distance(before, node) == UNREACHABLE:
            problem = f"the server state cannot get from node {before} to node {node}, the next aggregator, in round {number}"
            yield Fault("topology", problem, _way(planner, before, node))
            return


def _joined(table: RoundTable) -> bool:
    """Whether models can spread from any aggregator to any other."""
    ids = table.aggregators
    pairs = [(place, other) for place, node in enumerate(ids.tolist()) for other in np.searchsorted(ids, table.exchanges(node)).tolist()]
    return not merged(np.arange(len(ids)), np.array(pairs, np.int64).reshape(-1, 2)).any()


def _idle_proxies(planner: Planner, rounds: int) -> Iterator[Fault]:
    """Proxies that nothing passes through in any round, among those that hold no other role."""
    rule = planner.roles.proxy
    if rule.rotates or len(rule.candidates) == 0:
        return
    busy: set[int] = set()
    for number in range(min(rounds, ROUNDS_CHECKED) if planner.roles.rotates else 1):
        busy |= planner.passing(number + 1).keys()
    others = np.union1d(planner.roles.trainer.candidates, planner.roles.aggregator.candidates)
    useless = [node for node in np.setdiff1d(rule.candidates, others).tolist() if node not in busy]
    if useless:
        yield Fault(
            "roles.proxy", f"{_names(useless)} would have nothing to forward", "put it on a path between a trainer and an aggregator"
        )


def _way(planner: Planner, origin: int, destination: int) -> str:
    """How to join two nodes that cannot reach each other."""
    paths = planner.graph.paths_to(destination)
    if paths.hops[origin] == UNREACHABLE:
        return f"add an edge: nothing joins node {origin} to node {destination}"
    inner, node = [], int(paths.next_hop[origin])
    while node != destination:
        inner.append(node)
        node = int(paths.next_hop[node])
    return f"make {_names(inner)} proxies, or add the edge {origin} to {destination}"


def _names(nodes: Ids | list[int]) -> str:
    named = ", ".join(str(node) for node in islice(map(int, nodes), NAMED))
    return f"node{'s' if len(nodes) > 1 else ''} {named}" + (f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else "")


def schedule_faults(planner: Planner, schedule: Schedule) -> list[Fault]:
    """What cannot be between a schedule, a way of sharing, and who does what; for roles that nothing is wrong with by themselves."""
    return [
        *_sharing(planner, schedule),
        *_out_of_step(planner, schedule),
        *(_without_rounds(planner, schedule) if schedule.asynchronous else ()),
        *_late(planner, schedule),
    ]


def membership_faults(planner: Planner) -> Iterator[Fault]:
    """Where nodes look after one another, those whom none of them can do without; without `membership` a federation waits for them."""
    roles = planner.roles
    if roles.coupled:
        return
    if roles.aggregator.at_a_time > 1:
        problem = "one of several aggregators that exchange models cannot be left out: what its trainers have learned is with it alone"
        yield Fault(
            "membership", problem, "write one aggregator, or architecture: decentralized, or leave membership out, and it is waited for"
        )
    elif roles.aggregator.rotates and len(roles.proxy.candidates):
        problem = "the place of an aggregator that has gone is taken by vote, and a voice cannot get past a proxy that has gone, too"
        yield Fault(
            "membership", problem, "write topology: full and no proxies, or keep the aggregator in one place, or leave membership out"
        )


def _sharing(planner: Planner, schedule: Schedule) -> Iterator[Fault]:
    sharing, coupled = planner.sharing, planner.roles.coupled
    if sharing.neighbours is None:
        return
    if len(planner.table(0).aggregators) < 2:
        problem = "nobody has anybody to turn to: there is one aggregator"
        yield Fault("sharing", problem, "leave it out, or write architecture: decentralized")
    elif sharing.pairwise and not (coupled and schedule.asynchronous):
        problem = "two nodes average their models whenever one of them likes, and here nodes wait for each other in rounds"
        yield Fault("sharing", problem, "write schedule: asynchronous and architecture: decentralized, or sharing: gossip")
    elif schedule.asynchronous and not coupled and sharing.direction != "push":
        problem = "aggregators without common rounds give their models to each other and ask for none"
        yield Fault("sharing.direction", problem, "write direction: push, or leave sharing out")
    elif schedule.asynchronous and sharing.direction != "push" and schedule.staleness_rounds != FOREVER:
        problem = "who is asked answers, however many rounds apart the two are"
        yield Fault("schedule.staleness_rounds", problem, "leave it out, or write sharing: {name: gossip, direction: push}")


def _out_of_step(planner: Planner, schedule: Schedule) -> Iterator[Fault]:
    """Several aggregators, of which one might wait for a trainer that has gone on with another."""
    aggregator = planner.roles.aggregator
    alone = planner.roles.coupled or planner.static or aggregator.at_a_time < 2
    if not alone and schedule.quorum != FOREVER and not schedule.asynchronous and schedule.deadline_seconds == FOREVER:
        problem = "a trainer that is late leaves rounds out, and an aggregator that it was to train for next would wait for ever"
        yield Fault(
            "schedule.deadline_seconds", problem, "write how long a round may last at most, or let trainers stay with their aggregator"
        )


def _without_rounds(planner: Planner, schedule: Schedule) -> Iterator[Fault]:
    """What an asynchronous schedule asks of the roles."""
    roles = planner.roles
    if roles.coupled:
        if not planner.static:
            problem = "every node goes at its own pace, and there is no common round that some could sit out"
            yield Fault("participation", problem, "write participation: all, no idle nodes that rotate, or another schedule")
        return
    aggregator = roles.aggregator
    if aggregator.rotates and aggregator.at_a_time > 1:
        problem = "several aggregators that move cannot tell whose updates are whose without common rounds"
        yield Fault("roles.aggregator", problem, "write count: 1, fixed aggregators, or another schedule")
    elif not aggregator.rotates and len(aggregator.candidates) > 1 and not planner.static:
        problem = "several aggregators without common rounds need trainers that stay theirs, and here others take part each time"
        yield Fault("participation", problem, "write participation: all and no role of trainer or idle that rotates, or one aggregator")
    else:
        yield from _room(planner, schedule)


def _room(planner: Planner, schedule: Schedule) -> Iterator[Fault]:
    """Whether as many updates as make a model can ever be under way."""
    for node in planner.table(0).aggregators.tolist():
        trainers = len(planner.candidates(node, 0))
        if trainers == 0:
            problem = f"node {node} has no trainer, and without common rounds nothing to wait for"
            yield Fault("roles.aggregator", problem, "take the role from it, or let it train")
        elif min(trainers, schedule.concurrency) < schedule.buffer:
            most = int(min(trainers, schedule.concurrency))
            problem = f"{schedule.buffer} updates make a model, and {most} node{'s' if most > 1 else ''} train for node {node} at a time"
            yield Fault("schedule.buffer", problem, f"write at most {most}, or let more train at a time")


def _late(planner: Planner, schedule: Schedule) -> Iterator[Fault]:
    """Whether an update that comes late can get from the aggregator it was sent to to the one there is now."""
    aggregator, graph = planner.roles.aggregator, planner.graph
    if planner.roles.coupled or not aggregator.rotates or not (schedule.asynchronous or schedule.staleness_rounds):
        return
    drops = "or another schedule" if schedule.asynchronous else "or staleness_rounds: 0, which drops it"
    if len(planner.roles.proxy.candidates):
        problem = "an update that comes late is handed on from aggregator to aggregator, and proxies do not know the way of those"
        yield Fault("roles.proxy", problem, f"write topology: full and no proxies, {drops}")
    elif graph.edge_count < graph.nodes * (graph.nodes - 1) // 2:
        ids = aggregator.candidates.tolist()
        apart = next(((a, b) for place, a in enumerate(ids) for b in ids[:place] if not graph.has_edge(a, b)), None)
        if apart is not None:
            problem = (
                f"an update that comes late is handed on from aggregator to aggregator, and nodes {apart[1]} and {apart[0]} share no edge"
            )
            yield Fault("topology", problem, f"write topology: full, {drops}")
