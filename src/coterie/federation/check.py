"""What is wrong with roles and topology, found before anything starts: every update must have an aggregator to go to."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from coterie.core.errors import Fault
from coterie.federation.plans import Planner, RoundTable
from coterie.federation.roles import Ids
from coterie.federation.routes import UNREACHABLE
from coterie.topologies.graph import merged

ROUNDS_CHECKED = 100
"""Roles that change from round to round are checked this far ahead."""
NAMED = 5


def faults(planner: Planner, rounds: int, *, everyone: bool, isolated: bool) -> list[Fault]:
    """All faults, each told once, for the first round that has it.

    everyone: all nodes are to get the final model. isolated: nodes are to exchange nothing (each learns alone).
    """
    found: dict[str, Fault] = {}
    varying = planner.roles.rotates or not planner.static
    for number in range(min(rounds, ROUNDS_CHECKED) + 1 if varying else 1):  # one more: the last model is published, too
        for fault in _of_round(planner, number, everyone=everyone, isolated=isolated):
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
