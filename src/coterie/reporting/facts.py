"""What was settled before the first round: the graph, the roles, the data. `facts.json` of a run folder."""

from typing import Annotated, Any, Literal

import msgspec

EDGES_KEPT = 20_000
"""A writer keeps at most so many edges; `edge_count` tells how many there are."""


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """Who was what in the first round (ids of nodes; a node may be in several); `rotates`: it changes from round to round."""

    trainer: tuple[int, ...] = ()
    aggregator: tuple[int, ...] = ()
    proxy: tuple[int, ...] = ()
    idle: tuple[int, ...] = ()
    rotates: bool = False


class Partition(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds what.

    classes: their names, none for a regression.
    counts: samples of each class at each node, (nodes, classes).
    sizes: samples at each node, (nodes,).
    jensen_shannon: mean pairwise Jensen-Shannon distance of the nodes' label distributions, 0 (alike) to 1.
    """

    classes: tuple[str, ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()
    sizes: tuple[int, ...] = ()
    jensen_shannon: float | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What is trained: its name and how many numbers it has."""

    name: str = ""
    parameters: int = 0


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """How nodes' training was computed.

    how: `nodes` of them at a time, and why in words; a run that is resumed keeps to that. executor: where that was done.
    """

    how: Literal["", "products", "vmap", "one by one"] = ""
    nodes: int = 1
    why: str = ""
    executor: str = ""


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """Who attacked and when.

    name: of the attack. nodes: the attackers; links: where outsiders stood, pairs of nodes. first, last: rounds, null for no end.
    stealthy: whether only where it would pass unnoticed. knowledge: what the attackers saw.
    """

    name: str
    nodes: tuple[int, ...] = ()
    links: tuple[tuple[int, int], ...] = ()
    first: int = 0
    last: int | None = None
    stealthy: bool = False
    knowledge: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of a run; whatever is absent is left out of the report.

    edges: pairs of nodes that may talk, at most EDGES_KEPT of edge_count.
    edge_bytes: (sender, receiver, bytes), known at the end of the run; the report adds both ways.
    names: display names of the nodes, in order; empty where they have none.
    architecture, topology: how the scenario calls them.
    dataset_bytes: what central training would have moved.
    """

    nodes: int = 0
    names: tuple[str, ...] = ()
    architecture: str = ""
    topology: str = ""
    edges: tuple[tuple[int, int], ...] = ()
    edge_count: int | None = None
    edge_bytes: tuple[tuple[int, int, Annotated[int, msgspec.Meta(ge=0)]], ...] = ()
    roles: Roles = Roles()
    partition: Partition = Partition()
    model: Model = Model()
    execution: Execution = Execution()
    attacks: tuple[Attack, ...] = ()
    dataset: str = ""
    dataset_bytes: int | None = None

    def name(self, node: int) -> str:
        """The display name of a node: the scenario's, or its id."""
        return self.names[node] if node < len(self.names) else str(node)

    @classmethod
    def of(cls, facts: dict[str, Any]) -> "Facts":
        """Facts out of plain data (lists, NumPy numbers made plain by the caller)."""
        return msgspec.convert(facts, cls)
