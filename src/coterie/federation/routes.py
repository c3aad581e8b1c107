"""How a message gets to a node that is no neighbour: along shortest paths whose inner nodes are proxies."""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np

from coterie.core.ids import NodeId
from coterie.topologies.graph import Graph, Paths

UNREACHABLE = -1


class Routes:
    """Paths through one set of proxies. The way from a to b is the way from b to a, backwards."""

    def __init__(self, graph: Graph, proxies: Iterable[int]) -> None:
        self.graph = graph
        self.proxies = frozenset(proxies)
        self._through = np.zeros(graph.nodes, np.bool_)
        self._through[sorted(self.proxies)] = True
        self._paths = lru_cache(maxsize=1024)(self._paths_to)
        self.path = lru_cache(maxsize=65536)(self._path)

    def _paths_to(self, root: int) -> Paths:
        return self.graph.paths_to(root, self._through)

    def _path(self, origin: int, destination: int) -> tuple[int, ...]:
        """The nodes from `origin` to `destination`, both included; empty if there is no way."""
        if self.graph.has_edge(origin, destination):
            return (origin, destination)
        root, node = min(origin, destination), max(origin, destination)
        if not self.proxies or self._paths(root).hops[node] == UNREACHABLE:
            return ()
        nodes = [node]
        while nodes[-1] != root:
            nodes.append(int(self._paths(root).next_hop[nodes[-1]]))
        return tuple(nodes if node == origin else reversed(nodes))

    def distance(self, node: int, destination: int) -> int:
        """Hops from `node` to `destination`, or -1."""
        if node == destination:
            return 0
        if not self.proxies or self.graph.has_edge(node, destination):
            return 1 if self.graph.has_edge(node, destination) else UNREACHABLE
        return int(self._paths(destination).hops[node])

    def next_hops(self, node: NodeId, origin: NodeId, to: tuple[NodeId, ...]) -> list[tuple[NodeId, tuple[NodeId, ...]]]:
        """What `node` does with a message of `origin` for `to`: (next hop, the nodes that it leads to), in order of hop.

        Destinations to which the way from `origin` does not pass `node` are left out.
        """
        groups: dict[int, list[NodeId]] = {}
        for destination in to:
            path = self.path(origin, destination)
            if node in path[:-1]:
                groups.setdefault(path[path.index(node) + 1], []).append(destination)
        return [(NodeId(hop), tuple(beyond)) for hop, beyond in sorted(groups.items())]
