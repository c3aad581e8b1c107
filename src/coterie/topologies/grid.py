"""A rectangular grid, optionally closed to a torus."""

import math

import numpy as np

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.topologies import topology
from coterie.topologies.graph import Graph, Ids, SparseGraph


@topology("grid")
def grid(nodes: int, _draw: np.random.Generator, *, rows: Count | None = None, torus: bool = False) -> Graph:
    """Nodes in `rows` rows (default: as square as it goes), each talking to those beside, above and below it.

    Ids run along the rows. A `torus` also joins the last column to the first and the last row to the first.
    """
    if rows is None:
        rows = next(count for count in range(math.isqrt(nodes), 0, -1) if nodes % count == 0)
        if rows == 1 and nodes > 3:
            raise ScenarioError.at(
                "topology", f"{nodes} nodes make no rectangle", f"write rows: 1 for a line, or nodes: {math.isqrt(nodes) ** 2}"
            )
    if nodes % rows:
        raise ScenarioError.at("topology.rows", f"{nodes} nodes do not fill {rows} rows", "write a divisor of the number of nodes")
    cells = np.arange(nodes).reshape(rows, nodes // rows)
    return SparseGraph.of(nodes, np.concatenate([_along(cells, torus), _along(cells.T, torus)]))


def _along(cells: Ids, torus: bool) -> Ids:
    """(m, 2) edges between each row's cells; a row of two has no second edge to close it."""
    steps = [np.stack([cells[:, :-1].ravel(), cells[:, 1:].ravel()], axis=1)]
    if torus and cells.shape[1] > 2:
        steps.append(np.stack([cells[:, -1], cells[:, 0]], axis=1))
    return np.concatenate(steps)
