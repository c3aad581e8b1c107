"""What a run's folder says about its federation before the first round."""

from collections.abc import Iterator
from math import inf
from typing import Any

import numpy as np

from coterie.reporting.facts import EDGES_KEPT, Attack, Execution, Facts, Model, Partition, Roles
from coterie.scenario.setup import Setup
from coterie.simulator.executor import choice
from coterie.tasks import skew

NODES_LISTED = 20_000
"""Per-node facts are left out for larger federations."""


def facts_of(setup: Setup) -> Facts:
    """The graph, the roles of round 0, and how the data lie."""
    scenario, graph, table = setup.scenario, setup.graph, setup.planner.table(0)
    some = graph.edge_count <= EDGES_KEPT
    return Facts(
        nodes=setup.nodes,
        names=tuple(setup.task.names) if setup.nodes <= NODES_LISTED and setup.nodes == setup.task.nodes else (),
        architecture=scenario.architecture,
        topology=scenario.topology.name,
        edges=_pairs(graph.edges()) if some else (),
        edge_count=graph.edge_count,
        roles=Roles(
            trainer=_ids(table.trainers),
            aggregator=_ids(table.aggregators),
            proxy=_ids(table.proxies),
            idle=_ids(table.idle),
            rotates=setup.roles.rotates or scenario.participation.name != "all",
        ),
        partition=_partition(setup),
        model=Model(name=scenario.task.model.name, parameters=setup.network.layout.size),
        execution=Execution(how=setup.batching.how, nodes=setup.batching.nodes, why=setup.batching.why, executor=choice(setup).name),
        attacks=tuple(_attacks(setup)),
        dataset=scenario.task.dataset.name,
        dataset_bytes=setup.task.dataset_bytes,
    )


def _attacks(setup: Setup) -> Iterator[Attack]:
    for entry, plot in zip(setup.scenario.attacks, setup.plots, strict=True):
        yield Attack(
            name=plot.name,
            nodes=plot.nodes,
            links=tuple(sorted((a, b) for a, b in plot.links if a < b)),
            first=plot.first,
            last=None if plot.last == inf else int(plot.last),
            stealthy=plot.stealth is not None,
            knowledge=entry.knowledge,
        )


def with_traffic(facts: Facts, edge_bytes: dict[tuple[int, int], int]) -> Facts:
    """The facts with what each edge carried, both ways together."""
    both: dict[tuple[int, int], int] = {}
    for (a, b), size in edge_bytes.items():
        pair = (min(a, b), max(a, b))
        both[pair] = both.get(pair, 0) + size
    heaviest = sorted(both.items(), key=lambda item: -item[1])[:EDGES_KEPT]
    import msgspec

    return msgspec.structs.replace(facts, edge_bytes=tuple((a, b, size) for (a, b), size in sorted(heaviest)))


def _partition(setup: Setup) -> Partition:
    if setup.nodes > NODES_LISTED:
        return Partition()
    found = skew.summary(setup.task)
    counts, sizes = (np.zeros((setup.nodes, *of.shape[1:]), np.int64) for of in (found.counts, found.sizes))
    counts[setup.trainers], sizes[setup.trainers] = found.counts, found.sizes
    return Partition(
        classes=tuple(map(str, found.classes)),
        counts=tuple(map(tuple, counts.tolist())),
        sizes=tuple(sizes.tolist()),
        jensen_shannon=found.jensen_shannon,
    )


def _ids(ids: Any) -> tuple[int, ...]:
    return tuple(ids.tolist()) if len(ids) <= NODES_LISTED else ()


def _pairs(edges: Any) -> tuple[tuple[int, int], ...]:
    return tuple((a, b) for a, b in edges.tolist())
