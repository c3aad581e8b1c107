"""Who can talk to whom: topologies by name, each a function `(nodes, draw, *, parameters) -> Graph` in its own file.

It may also ask for `folder` (where paths are seen from), which is not a parameter.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

from coterie.core import draws
from coterie.core.registry import Registry
from coterie.topologies.graph import Graph, SparseGraph

if TYPE_CHECKING:
    import networkx as nx

__all__ = ["TOPOLOGIES", "Graph", "SparseGraph", "build", "make", "topology"]

Topology = Callable[..., Graph]

TOPOLOGIES: Registry[Topology] = Registry("topology", home="coterie.topologies", reserved={"folder"})


@overload
def topology(function: Topology) -> Topology: ...
@overload
def topology(function: str) -> Callable[[Topology], Topology]: ...
def topology(function: Topology | str) -> Any:
    """Decorator: register `(nodes, draw, *, parameters) -> Graph` under its own name, or under the one given."""
    return TOPOLOGIES.register(function) if isinstance(function, str) else TOPOLOGIES.register()(function)


def make(name: str, params: Mapping[str, Any], nodes: int, seed: int, folder: str | None = None) -> Graph:
    """The graph over `nodes` nodes that everybody derives from the scenario's `seed`.

    folder: where paths are seen from; None: the current one. Raises ScenarioError, placed under `topology`.
    """
    entry = TOPOLOGIES.entry(name, "topology")
    checked = entry.check(params, "topology")
    return entry.thing(nodes, draws.public(seed, "topology"), **checked, **({"folder": folder} if entry.inputs else {}))


def build(name: str, **params: Any) -> Callable[[int, int], "nx.Graph"]:
    """`(nodes, seed) -> networkx.Graph` of the topology called `name`; raises ScenarioError for a bad name or parameter."""
    TOPOLOGIES.entry(name, "topology").check(params, "topology")

    def graph(nodes: int, seed: int = 0) -> "nx.Graph":
        return make(name, params, nodes, seed).to_networkx()

    return graph
