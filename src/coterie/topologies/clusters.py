"""Groups that talk inside, joined by one bridge each.

Ids are consecutive within a cluster (the first clusters have one node more where the division leaves a rest), and the
first node of a cluster is its bridge: 16 nodes in 2 clusters are 0-7 and 8-15 with bridges 0 and 8. Give the bridges the
role of proxies to let updates pass between the clusters.
"""

from typing import Literal

import numpy as np

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.topologies import topology
from coterie.topologies.graph import Graph, Ids, SparseGraph, affordable
from coterie.topologies.ring import cycle

Shape = Literal["full", "ring"]


@topology("clusters")
def clusters(nodes: int, _draw: np.random.Generator, *, clusters: Count = 2, inside: Shape = "full", between: Shape = "full") -> Graph:
    """`clusters` groups of consecutive ids, `inside` full or ring; the first node of each joins the others', full or ring."""
    starts = bridges(nodes, clusters)
    groups = np.split(np.arange(nodes), starts[1:])
    affordable(sum(_edge_count(len(group), inside) for group in groups) + _edge_count(clusters, between))
    edges = [_joined(group, inside) for group in groups] + [_joined(starts, between)]
    return SparseGraph.of(nodes, np.concatenate(edges))


def bridges(nodes: int, clusters: int) -> Ids:
    """(clusters,) the first id of each cluster, which is its bridge; raises ScenarioError for more clusters than nodes."""
    if clusters > nodes:
        raise ScenarioError.at("topology.clusters", f"{nodes} nodes cannot form {clusters} clusters", f"write at most {nodes}")
    size, rest = divmod(nodes, clusters)
    numbers = np.arange(clusters)
    return numbers * size + np.minimum(numbers, rest)


def _edge_count(members: int, shape: Shape) -> int:
    return members * (members - 1) // 2 if shape == "full" else members


def _joined(members: Ids, shape: Shape) -> Ids:
    return members[np.stack(np.triu_indices(len(members), 1), axis=1)] if shape == "full" else cycle(members)
