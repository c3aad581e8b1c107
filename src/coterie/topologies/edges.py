"""A graph written out in the scenario, edge by edge."""

import numpy as np

from coterie.core.bounds import Natural
from coterie.core.errors import Fault, ScenarioError
from coterie.topologies import topology
from coterie.topologies.graph import Graph, Ids, SparseGraph


@topology("edges")
def edges(nodes: int, _draw: np.random.Generator, *, pairs: tuple[tuple[Natural, Natural], ...]) -> Graph:
    """The edges listed in `pairs`, such as [[0, 1], [1, 2]]; order does not matter, an edge given twice counts once."""
    listed = np.array(pairs, np.int64).reshape(-1, 2)
    refuse_faulty(nodes, listed, [f"topology.pairs.{number}" for number in range(len(listed))])
    return SparseGraph.of(nodes, listed)


def refuse_faulty(nodes: int, listed: Ids, places: list[str]) -> None:
    """Raises ScenarioError for edges (m, 2) that join a node to itself or name one out of range; `places` has one for each edge."""
    a, b = listed[:, 0], listed[:, 1]
    strangers = (listed.min(axis=1) < 0) | (listed.max(axis=1) >= nodes)
    faults = []
    for number in np.flatnonzero((a == b) | strangers)[:10]:
        if strangers[number]:
            faults.append(
                Fault(places[number], f"the edge {a[number]} - {b[number]} names a node that is not there", f"ids go from 0 to {nodes - 1}")
            )
        else:
            faults.append(Fault(places[number], f"node {a[number]} is joined to itself", "leave this edge out"))
    if faults:
        raise ScenarioError(*faults)
