"""How a message gets to a node that is no neighbour: along shortest paths whose inner nodes are proxies."""

from collections.abc import Callable, Iterable
from functools import lru_cache

import numpy as np

from coterie.core.ids import NodeId
from coterie.topologies.graph import Graph, Paths

UNREACHABLE = -1


class Routes:
    """Next hops through one set of proxies; the paths to a destination are made when they are first asked for."""

    def __init__(self, graph: Graph, proxies: Iterable[int]) -> None:
        self.graph = graph
        self.proxies = frozenset(proxies)
        through = np.zeros(graph.nodes, np.bool_)
        through[sorted(self.proxies)] = True
        self._paths: Callable[[int], Paths] = lru_cache(maxsize=1024)(lambda destination: graph.paths_to(destination, through))

    def hop(self, node: int, destination: int) -> int:
        """The neighbour of `node` to hand a message for `destination` to, or -1."""
        if not self.proxies or self.graph.has_edge(node, destination):
            return destination if self.graph.has_edge(node, destination) else UNREACHABLE
        return int(self._paths(destination).next_hop[node])

    def distance(self, node: int, destination: int) -> int:
        """Hops from `node` to `destination`, or -1."""
        if node == destination:
            return 0
        if not self.proxies or self.graph.has_edge(node, destination):
            return 1 if self.graph.has_edge(node, destination) else UNREACHABLE
        return int(self._paths(destination).hops[node])

    def first_hops(self, node: NodeId, to: tuple[NodeId, ...]) -> list[tuple[NodeId, tuple[NodeId, ...]]]:
        """`to` grouped by first hop: (hop, the nodes beyond it that it must serve), in order of hop."""
        groups: dict[int, list[NodeId]] = {}
        for destination in to:
            groups.setdefault(self.hop(node, destination), []).append(destination)
        groups.pop(UNREACHABLE, None)
        return [(NodeId(hop), tuple(beyond)) for hop, beyond in sorted(groups.items())]

    def path(self, node: int, destination: int) -> list[int]:
        """The nodes strictly between `node` and `destination`; empty too if there is no way."""
        inner = []
        while (node := self.hop(node, destination)) not in (destination, UNREACHABLE):
            inner.append(node)
        return inner
