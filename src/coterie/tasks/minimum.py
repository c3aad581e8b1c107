"""A least number of samples for every node.

A random draw may leave a node with too little. Rather than drawing all nodes anew until it fits (which may take for ever,
and changes everybody's data because of one), the missing samples are taken from the richest nodes, levelled from the top,
and handed to the poor; nobody else's shard changes.
"""

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks.ragged import Indices


def check(samples: int, nodes: int, minimum: int) -> None:
    """Raises ScenarioError when there are not enough samples for every node to have the minimum."""
    if samples < nodes * minimum:
        raise ScenarioError.at(
            "",
            f"{samples:,} samples cannot give {nodes:,} nodes {minimum:,} each",
            f"take at most {samples // minimum:,} nodes, a smaller minimum, or more data",
        )


def ensured(owners: Indices, nodes: int, minimum: int, keys: NDArray[np.float64]) -> Indices:
    """`owners` (n,) changed as little as it takes for every node to own at least `minimum` samples.

    owners: the node of each sample, negative for nobody's. keys: (n,) random, decide which samples move.

    Raises:
        ScenarioError: there are not enough samples.
    """
    sizes = np.bincount(owners[owners >= 0], minlength=nodes)
    lack = np.maximum(minimum - sizes, 0)
    if not lack.any():
        return owners
    check(int(sizes.sum()), nodes, minimum)
    give = _levelled(sizes, int(lack.sum()))
    order = np.lexsort((keys, owners))
    mine = owners[order]
    first = np.searchsorted(mine, np.arange(nodes))
    rank = np.arange(len(order)) - first[np.maximum(mine, 0)]
    moved = order[(mine >= 0) & (rank < give[np.maximum(mine, 0)])]
    changed = owners.copy()
    changed[moved[np.argsort(keys[moved])]] = np.repeat(np.arange(nodes), lack)
    return changed


def _levelled(sizes: Indices, wanted: int) -> Indices:
    """How much each node gives so that `wanted` is given in all and the largest sizes become equal."""
    low, high = 0, int(sizes.max())
    while low < high:  # the highest level that yields enough
        level = (low + high + 1) // 2
        low, high = (level, high) if np.maximum(sizes - level, 0).sum() >= wanted else (low, level - 1)
    give = np.maximum(sizes - low, 0)
    spare = int(give.sum()) - wanted
    give[np.flatnonzero(give)[:spare]] -= 1
    return give
