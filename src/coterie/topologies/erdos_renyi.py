"""Random graphs in which every pair shares an edge with the same probability.

E. N. Gilbert, "Random graphs", Annals of Mathematical Statistics 30 (1959); P. Erdős and A. Rényi, "On random graphs I" (1959).

Edges arrive one after the other, each a uniformly drawn pair, at the times of a Poisson process; the pairs that arrived
by the time t are G(n, p) with p = 1 - exp(-t) exactly. So the cost is that of the edges, not of the pairs; a higher p
only adds edges; and for a draw that is not connected the very p at which it would be is known.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from coterie.core.bounds import Probability
from coterie.core.errors import ScenarioError
from coterie.topologies import topology
from coterie.topologies.full import FullGraph
from coterie.topologies.graph import Graph, Ids, SparseGraph, affordable, merged


@topology("erdos-renyi")
def erdos_renyi(nodes: int, draw: np.random.Generator, *, p: Probability | None = None) -> Graph:
    """Every pair shares an edge with probability `p` (default: 2 ln n / n, twice what it takes to be connected)."""
    if p is None:
        p = min(1.0, 2 * math.log(nodes) / nodes)
    if nodes == 1 or p == 1:
        return FullGraph(nodes)
    pairs = math.comb(nodes, 2)
    affordable(p * pairs)
    until = -math.log1p(-p) * pairs
    arrivals = _arrivals(nodes, draw)
    times, edges = next(arrivals)
    while times[-1] <= until:
        more_times, more_edges = next(arrivals)
        times, edges = np.concatenate([times, more_times]), np.concatenate([edges, more_edges])
    arrived = int(np.searchsorted(times, until, side="right"))
    graph = SparseGraph.of(nodes, edges[:arrived])
    if not graph.connected():
        enough = -math.expm1(-_connected_at(graph.components(), times[arrived:], edges[arrived:], arrivals) / pairs)
        raise ScenarioError.at(
            "topology.p",
            f"the random graph is not connected at p = {p:g} with this seed; it is from p = {_rounded_up(enough):g} on",
            f"write p: {_rounded_up(enough):g} or more, or another seed",
        )
    return graph


def _arrivals(nodes: int, draw: np.random.Generator) -> Iterator[tuple[NDArray[np.float64], Ids]]:
    """Chunks of (times (c,), pairs (c, 2)) of a Poisson process of rate 1 over uniformly drawn pairs, without end."""
    size, now = max(256, 2 * nodes), 0.0
    while True:
        times = now + np.cumsum(draw.exponential(size=size))
        a, b = draw.integers(nodes, size=size), draw.integers(nodes - 1, size=size)
        yield times, np.stack([a, b + (b >= a)], axis=1)
        now = float(times[-1])


def _connected_at(labels: Ids, times: NDArray[np.float64], edges: Ids, arrivals: Iterator[tuple[NDArray[np.float64], Ids]]) -> float:
    """When the last two pieces of `labels` join, going on with the arrivals."""
    while (after := merged(labels, edges)).any():
        labels = after
        times, edges = next(arrivals)
    low, high = 0, len(edges)  # not connected after `low` of the edges, connected after `high`
    while high - low > 1:
        middle = (low + high) // 2
        if merged(labels, edges[:middle]).any():
            low = middle
        else:
            high = middle
    return float(times[high - 1])


def _rounded_up(p: float) -> float:
    """`p` rounded up to three significant digits."""
    unit = 10.0 ** (math.floor(math.log10(p)) - 2)
    return min(1.0, round(math.ceil(p / unit) * unit, 12))
