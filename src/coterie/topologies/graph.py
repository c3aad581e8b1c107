"""Undirected simple graphs over the nodes 0 … n-1, stored as sorted adjacency (CSR) or known by a rule (`star`, `full`)."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError

if TYPE_CHECKING:
    import networkx as nx

Ids = NDArray[np.int64]

MAX_EDGES = 20_000_000
"""A stored graph is refused beyond this (about 0.5 GB); `star` and `full` store nothing and have no such bound."""


class Paths(NamedTuple):
    """Shortest paths from every node to one target; -1 marks nodes that cannot reach it.

    next_hop: (nodes,) the neighbour to send to; the target's own entry is itself.
    hops: (nodes,) how many edges there are to the target.
    """

    next_hop: Ids
    hops: Ids


class Graph(ABC):
    """Who can talk to whom: undirected, without loops or parallel edges."""

    nodes: int

    @abstractmethod
    def neighbours(self, node: int) -> Ids:
        """(degree,) the ids that share an edge with `node`, ascending."""

    @abstractmethod
    def degrees(self) -> Ids:
        """(nodes,) how many neighbours each node has."""

    @abstractmethod
    def has_edge(self, a: int, b: int) -> bool:
        """Whether `a` and `b` share an edge."""

    @abstractmethod
    def edges(self) -> Ids:
        """(edges, 2) every edge once, smaller id first, in ascending order."""

    @abstractmethod
    def csr(self) -> tuple[Ids, Ids]:
        """The adjacency as (indptr (nodes + 1,), indices (2 · edges,)), each row ascending."""

    @property
    @abstractmethod
    def edge_count(self) -> int:
        """How many edges there are."""

    @abstractmethod
    def components(self) -> Ids:
        """(nodes,) the smallest id that each node can reach: equal within a connected piece, different between pieces."""

    def degree(self, node: int) -> int:
        """How many neighbours `node` has."""
        return len(self.neighbours(node))

    def connected(self) -> bool:
        """Whether every node can reach every other one."""
        return not self.components().any()

    def paths_to(self, target: int, through: NDArray[np.bool_] | None = None) -> Paths:
        """Shortest paths to `target` that pass only through nodes marked in `through` ((nodes,) bool; None: through any).

        Where several shortest paths exist, the one by the lowest next id is taken, so everybody finds the same one.
        """
        next_hop = np.full(self.nodes, -1, np.int64)
        hops = np.full(self.nodes, -1, np.int64)
        next_hop[target], hops[target] = target, 0
        frontier, unseen = np.array([target]), self.nodes - 1
        while frontier.size and unseen:
            senders, found = self._spread(frontier)
            fresh = hops[found] < 0
            found, first = np.unique(found[fresh], return_index=True)
            next_hop[found] = senders[fresh][first]
            hops[found] = hops[frontier[0]] + 1
            unseen -= found.size
            frontier = found if through is None else found[through[found]]
        return Paths(next_hop, hops)

    def _spread(self, frontier: Ids) -> tuple[Ids, Ids]:
        """Every edge out of the ascending `frontier` as (from, to) columns, `from` ascending."""
        reached = [self.neighbours(int(node)) for node in frontier]
        return np.repeat(frontier, [len(row) for row in reached]), np.concatenate(reached)

    def to_networkx(self) -> "nx.Graph":
        """The same graph as a networkx.Graph."""
        import networkx as nx

        graph: Any = nx.Graph()
        graph.add_nodes_from(range(self.nodes))
        graph.add_edges_from(self.edges().tolist())
        return graph


class SparseGraph(Graph):
    """A graph stored as CSR: `indices[indptr[i]:indptr[i + 1]]` are the neighbours of i."""

    def __init__(self, indptr: Ids, indices: Ids) -> None:
        self.nodes = len(indptr) - 1
        self._indptr, self._indices = indptr, indices
        indptr.flags.writeable = indices.flags.writeable = False

    @classmethod
    def of(cls, nodes: int, edges: Ids) -> "SparseGraph":
        """The graph of `edges` (m, 2) in any order; an edge given twice counts once. Loops and ids out of range are our own bug."""
        edges = np.asarray(edges, np.int64).reshape(-1, 2)
        low, high = edges.min(axis=1), edges.max(axis=1)
        if edges.size and (low.min() < 0 or high.max() >= nodes or (low == high).any()):
            raise ValueError("an edge with a loop or an id out of range")
        keys = np.unique(low * nodes + high)
        low, high = np.divmod(keys, nodes)
        both = np.sort(np.concatenate([keys, high * nodes + low]))
        rows, indices = np.divmod(both, nodes)
        indptr = np.zeros(nodes + 1, np.int64)
        np.cumsum(np.bincount(rows, minlength=nodes), out=indptr[1:])
        return cls(indptr, indices)

    def neighbours(self, node: int) -> Ids:
        """A read-only view, ascending."""
        return self._indices[self._indptr[node] : self._indptr[node + 1]]

    def degrees(self) -> Ids:
        """(nodes,) how many neighbours each node has."""
        return np.diff(self._indptr)

    def degree(self, node: int) -> int:
        """How many neighbours `node` has."""
        return int(self._indptr[node + 1] - self._indptr[node])

    def has_edge(self, a: int, b: int) -> bool:
        """Whether `a` and `b` share an edge."""
        row = self.neighbours(a)
        at = int(np.searchsorted(row, b))
        return at < len(row) and int(row[at]) == b

    @property
    def edge_count(self) -> int:
        """How many edges there are."""
        return len(self._indices) // 2

    def _rows(self) -> Ids:
        return np.repeat(np.arange(self.nodes), self.degrees())

    def edges(self) -> Ids:
        """(edges, 2) every edge once, smaller id first, in ascending order."""
        rows = self._rows()
        once = rows < self._indices
        return np.stack([rows[once], self._indices[once]], axis=1)

    def csr(self) -> tuple[Ids, Ids]:
        """The stored arrays, read-only."""
        return self._indptr, self._indices

    def components(self) -> Ids:
        """(nodes,) the smallest id that each node can reach."""
        return merged(np.arange(self.nodes), self.edges())

    def _spread(self, frontier: Ids) -> tuple[Ids, Ids]:
        starts = self._indptr[frontier]
        counts = self._indptr[frontier + 1] - starts
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(frontier, counts), self._indices[np.repeat(starts, counts) + within]


def merged(labels: Ids, edges: Ids) -> Ids:
    """(nodes,) component labels after joining, along `edges` (m, 2), pieces labelled by their smallest ids."""
    return joined(labels, edges)[0]


def joined(labels: Ids, edges: Ids) -> tuple[Ids, Ids]:
    """The labels after joining along `edges`, and the numbers of those edges that did it: a spanning forest of the pieces.

    Each pass hooks every piece that has a smaller neighbour piece onto the smallest one, so at least half of them vanish.
    """
    labels = labels.copy()
    forest: list[Ids] = []
    numbers = np.arange(len(edges))
    while True:
        a, b = labels[edges[numbers, 0]], labels[edges[numbers, 1]]
        apart = a != b
        if not apart.any():
            return labels, np.sort(np.concatenate(forest)) if forest else numbers[:0]
        numbers, a, b = numbers[apart], a[apart], b[apart]
        high, low = np.maximum(a, b), np.minimum(a, b)
        order = np.lexsort((low, high))
        hooked, first = np.unique(high[order], return_index=True)
        labels[hooked] = low[order[first]]
        forest.append(numbers[order[first]])
        while not np.array_equal(further := labels[labels], labels):
            labels = further


def unused(keys: Ids, taken: Ids) -> NDArray[np.bool_]:
    """(m,) marks the first of every equal `keys` (m,) that is not among the ascending `taken`."""
    marks = np.zeros(len(keys), np.bool_)
    marks[np.unique(keys, return_index=True)[1]] = True
    if taken.size:
        marks &= taken[np.minimum(np.searchsorted(taken, keys), taken.size - 1)] != keys
    return marks


def affordable(edges: float) -> None:
    """Refuses a graph that would take too much memory, before any of it is taken; raises ScenarioError."""
    if edges > MAX_EDGES:
        raise ScenarioError.at(
            "topology",
            f"would have about {edges:,.0f} edges, more than the {MAX_EDGES:,} that are stored",
            "choose a sparser topology, or 'full' or 'star', which are not stored",
        )
