"""Fully connected: everybody talks to everybody. Nothing is stored."""

import numpy as np

from coterie.topologies import topology
from coterie.topologies.graph import Graph, Ids, affordable


class FullGraph(Graph):
    """The complete graph, known by its rule."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes

    def neighbours(self, node: int) -> Ids:
        """Everybody else, ascending."""
        others = np.arange(self.nodes - 1)
        others[node:] += 1
        return others

    def degrees(self) -> Ids:
        """(nodes,) nodes - 1 each."""
        return np.full(self.nodes, self.nodes - 1, np.int64)

    def has_edge(self, a: int, b: int) -> bool:
        """True for two different nodes."""
        return a != b and min(a, b) >= 0 and max(a, b) < self.nodes

    @property
    def edge_count(self) -> int:
        """Every pair: n (n - 1) / 2."""
        return self.nodes * (self.nodes - 1) // 2

    def edges(self) -> Ids:
        """(edges, 2) every pair, ascending."""
        affordable(self.edge_count)
        return np.stack(np.triu_indices(self.nodes, 1), axis=1).astype(np.int64, copy=False)

    def csr(self) -> tuple[Ids, Ids]:
        """The adjacency written out."""
        affordable(self.edge_count)
        row = np.arange(self.nodes - 1)
        indices = row + (row >= np.arange(self.nodes)[:, None])
        return np.arange(self.nodes + 1) * (self.nodes - 1), indices.reshape(-1)

    def components(self) -> Ids:
        """(nodes,) zeros: one piece."""
        return np.zeros(self.nodes, np.int64)


@topology("full")
def full(nodes: int, _draw: np.random.Generator) -> Graph:
    """Everybody talks to everybody."""
    return FullGraph(nodes)
