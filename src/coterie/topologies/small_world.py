"""Small worlds: a ring of near neighbours with some edges rewired to anywhere.

D. J. Watts and S. H. Strogatz, "Collective dynamics of 'small-world' networks", Nature 393 (1998).
"""

import numpy as np

from coterie.core.bounds import Count, Probability
from coterie.core.errors import ScenarioError
from coterie.topologies import topology
from coterie.topologies.graph import Graph, Ids, SparseGraph, affordable, joined, unused


@topology("small-world")
def small_world(nodes: int, draw: np.random.Generator, *, neighbours: Count = 4, rewiring: Probability = 0.1) -> Graph:
    """A ring where everybody has `neighbours` (an even number), each edge rewired with probability `rewiring`.

    A rewired edge keeps one end and goes to a node drawn uniformly, never onto another edge; one that finds no room stays.
    The graph keeps its nodes · neighbours / 2 edges and is always connected: where a draw falls into pieces, as many
    edges as it takes (of those that close a cycle) go to places in the ring that join them.
    """
    _possible(nodes, neighbours)
    affordable(nodes * neighbours / 2)
    step = np.repeat(np.arange(1, neighbours // 2 + 1), nodes)
    near = np.tile(np.arange(nodes), neighbours // 2)
    lattice = np.stack([near, (near + step) % nodes], axis=1)
    edges = _rewired(nodes, lattice, np.flatnonzero(draw.random(len(lattice)) < rewiring), draw)
    return SparseGraph.of(nodes, _in_one_piece(nodes, lattice, edges, draw))


def _possible(nodes: int, neighbours: int) -> None:
    most = (nodes - 1) // 2 * 2
    if neighbours % 2:
        fix = f"write {neighbours - 1} or {neighbours + 1}" if neighbours > 1 else "write 2"
        raise ScenarioError.at("topology.neighbours", f"must be even, half of them on each side (got {neighbours})", fix)
    if neighbours > most:
        fix = f"write at most {most}" if most else "write at least 3 nodes"
        raise ScenarioError.at("topology.neighbours", f"{nodes} nodes in a ring cannot have {neighbours} neighbours each", fix)


def _keys(nodes: int, edges: Ids) -> Ids:
    keys: Ids = edges.min(axis=1) * nodes + edges.max(axis=1)
    return keys


def _rewired(nodes: int, lattice: Ids, moving: Ids, draw: np.random.Generator) -> Ids:
    """(m, 2) the lattice with the edges numbered `moving` sent elsewhere, all of them different."""
    edges = lattice.copy()
    taken = np.sort(_keys(nodes, lattice))
    for _ in range(100):
        if not moving.size:
            break
        wish = np.stack([lattice[moving, 0], draw.integers(nodes, size=len(moving))], axis=1)
        key = _keys(nodes, wish)
        fits = unused(key, taken) & (wish[:, 0] != wish[:, 1])
        edges[moving[fits]] = wish[fits]
        taken = np.sort(np.concatenate([taken, key[fits]]))
        moving = moving[~fits]
    return edges


def _in_one_piece(nodes: int, lattice: Ids, edges: Ids, draw: np.random.Generator) -> Ids:
    """The edges, some of those that close cycles (drawn; there are always enough) moved to where the lattice joins the pieces."""
    pieces, forest = joined(np.arange(nodes), edges)
    if not pieces.any():
        return edges
    _, joints = joined(pieces, lattice)
    spare = draw.permutation(np.delete(np.arange(len(edges)), forest))
    edges[spare[: len(joints)]] = lattice[joints]
    return edges
