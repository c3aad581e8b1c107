"""A ring: node i talks to i - 1 and i + 1."""

import numpy as np

from coterie.topologies import topology
from coterie.topologies.graph import Graph, Ids, SparseGraph


def cycle(order: Ids) -> Ids:
    """(m, 2) the edges of the cycle through `order`; two nodes have one edge, one node none."""
    edges = np.stack([order, np.roll(order, -1)], axis=1)
    return edges if len(order) > 2 else edges[: len(order) - 1]


@topology("ring")
def ring(nodes: int, _draw: np.random.Generator) -> Graph:
    """Node i talks to i - 1 and i + 1; the last one to the first."""
    return SparseGraph.of(nodes, cycle(np.arange(nodes)))
