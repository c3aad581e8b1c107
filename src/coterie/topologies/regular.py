"""Random graphs in which every node has the same number of neighbours.

A. Steger and N. Wormald, "Generating random regular graphs quickly", Combinatorics, Probability and Computing 8 (1999):
half-edges are paired at random; those of a pair that would be a loop or a double edge are paired anew.
"""

import numpy as np

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.topologies import topology
from coterie.topologies.full import FullGraph
from coterie.topologies.graph import Graph, Ids, SparseGraph, affordable, unused
from coterie.topologies.ring import cycle


@topology("regular")
def regular(nodes: int, draw: np.random.Generator, *, degree: Count = 4) -> Graph:
    """A random connected graph in which every node has `degree` neighbours."""
    _possible(nodes, degree)
    affordable(nodes * degree / 2)
    if degree == nodes - 1:
        return FullGraph(nodes)
    if degree == 2:  # a connected one is a single cycle, which pairing hardly ever finds
        return SparseGraph.of(nodes, cycle(draw.permutation(nodes)))
    dense = 2 * degree >= nodes  # then its complement is drawn
    while True:
        edges = _paired(nodes, nodes - 1 - degree if dense else degree, draw)
        graph = SparseGraph.of(nodes, _complement(nodes, edges) if dense else edges)
        if graph.connected():
            return graph


def _possible(nodes: int, degree: int) -> None:
    if degree >= nodes:
        raise ScenarioError.at(
            "topology.degree", f"{nodes} node{'s' * (nodes > 1)} cannot have {degree} neighbours each", f"write at most {nodes - 1}"
        )
    if nodes * degree % 2:
        raise ScenarioError.at(
            "topology.degree",
            f"{nodes} nodes cannot have {degree} neighbours each: one of the two numbers must be even",
            f"write {degree - 1} or {degree + 1}, or an even number of nodes",
        )
    if degree == 1 and nodes > 2:
        raise ScenarioError.at("topology.degree", "with 1 neighbour each the nodes are only pairs, not connected", "write 2 or more")


def _paired(nodes: int, degree: int, draw: np.random.Generator) -> Ids:
    """(nodes · degree / 2, 2) random edges without loops or repeats."""
    loose = np.repeat(np.arange(nodes), degree)
    keys = np.empty(0, np.int64)
    while loose.size:
        pairs = np.sort(draw.permutation(loose).reshape(-1, 2), axis=1)
        key = pairs[:, 0] * nodes + pairs[:, 1]
        fits = unused(key, keys) & (pairs[:, 0] != pairs[:, 1])
        loose = pairs[~fits].reshape(-1)
        if not fits.any():  # what is left fits nowhere: as many edges, drawn, are taken apart again
            keys = draw.permutation(keys)
            cut, keys = keys[: loose.size], keys[loose.size :]
            loose = np.concatenate([loose, *np.divmod(cut, nodes)])
        keys = np.sort(np.concatenate([keys, key[fits]]))
    return np.stack(np.divmod(keys, nodes), axis=1)


def _complement(nodes: int, edges: Ids) -> Ids:
    absent = np.triu(np.ones((nodes, nodes), bool), 1)
    absent[edges[:, 0], edges[:, 1]] = False
    return np.argwhere(absent)
