"""A star: one node in the middle, everybody else talks to it alone. Nothing is stored."""

import numpy as np

from coterie.core.bounds import Natural
from coterie.core.errors import ScenarioError
from coterie.topologies import topology
from coterie.topologies.graph import Graph, Ids


class StarGraph(Graph):
    """A star around `center`, known by its rule."""

    def __init__(self, nodes: int, center: int = 0) -> None:
        self.nodes, self.center = nodes, center

    def _leaves(self) -> Ids:
        leaves = np.arange(self.nodes - 1)
        leaves[self.center :] += 1
        return leaves

    def neighbours(self, node: int) -> Ids:
        """The center, or all leaves for the center itself."""
        return self._leaves() if node == self.center else np.array([self.center])

    def degrees(self) -> Ids:
        """(nodes,) 1 each, nodes - 1 in the middle."""
        degrees = np.ones(self.nodes, np.int64)
        degrees[self.center] = self.nodes - 1
        return degrees

    def degree(self, node: int) -> int:
        """1, or nodes - 1 in the middle."""
        return self.nodes - 1 if node == self.center else 1

    def has_edge(self, a: int, b: int) -> bool:
        """True for the center and anybody else."""
        return a != b and self.center in (a, b) and min(a, b) >= 0 and max(a, b) < self.nodes

    @property
    def edge_count(self) -> int:
        """Nodes - 1."""
        return self.nodes - 1

    def edges(self) -> Ids:
        """(edges, 2) the center with every leaf, smaller id first, ascending."""
        leaves = self._leaves()
        return np.stack([np.minimum(leaves, self.center), np.maximum(leaves, self.center)], axis=1)

    def csr(self) -> tuple[Ids, Ids]:
        """The adjacency written out."""
        indptr = np.concatenate([[0], np.cumsum(self.degrees())])
        indices = np.full(2 * self.edge_count, self.center, np.int64)
        indices[indptr[self.center] : indptr[self.center + 1]] = self._leaves()
        return indptr, indices

    def components(self) -> Ids:
        """(nodes,) zeros: one piece."""
        return np.zeros(self.nodes, np.int64)


@topology("star")
def star(nodes: int, _draw: np.random.Generator, *, center: Natural = 0) -> Graph:
    """Everybody talks to the `center` alone."""
    if center >= nodes:
        raise ScenarioError.at("topology.center", f"there is no node {center}", f"write an id from 0 to {nodes - 1}")
    return StarGraph(nodes, center)
