"""Order statistics of every column: median, trimmed mean, mean around the median.

A pruned sorting network over blocks of columns, compiled by numba where the extra `coterie[fast]` is installed; elsewhere
NumPy sorts block by block. Both read the matrix once, need memory for a block, and give the same numbers; a column that holds a
number which is not finite gives NaN.
"""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from coterie.aggregation.arrays import threads
from coterie.aggregation.network import network

BLOCK = 4096
"""Columns that NumPy sorts at a time."""
MOST_ROWS = 1024
"""More rows than this are always sorted: the comparators of a network grow faster than the steps of a sort."""
SHARE = 1 << 21
"""Numbers that are worth a thread of their own."""
FEW = 1 << 12
"""Fewer numbers than this are always sorted: not worth loading the kernels."""


@cache
def compiled() -> ModuleType | None:
    """The compiled kernels, or None without numba."""
    try:
        from coterie.aggregation.kernels import order_statistics as kernels
    except ImportError:
        return None
    return kernels


def _kernels(rows: np.ndarray) -> ModuleType | None:
    """The compiled kernels where they pay for `rows` (n, d)."""
    return compiled() if rows.size >= FEW and len(rows) <= MOST_ROWS else None


def middle(rows: np.ndarray, low: int, high: int) -> np.ndarray:
    """(d,) the mean of the ranks low … high - 1 of every column of `rows` (n, d), float32 or float64."""
    kernels = _kernels(rows)
    if kernels is None:
        return _sorted(rows, lambda ordered: ordered[low:high])
    return _spread(kernels.middle, rows, network(len(rows), low, high), low, high)


def around_median(rows: np.ndarray, keep: int) -> np.ndarray:
    """(d,) the mean of the `keep` values nearest the median of every column of `rows` (n, d); of two as near, the lower one."""
    kernels = _kernels(rows)
    if kernels is None:
        return _sorted(rows, lambda ordered: _nearest(ordered, keep))
    return _spread(kernels.around_median, rows, network(len(rows)), keep)


def _spread(kernel: Callable[..., None], rows: np.ndarray, *args: Any) -> np.ndarray:
    """What `kernel` puts into its last argument, in as many threads as there are and the columns are worth."""
    size = rows.shape[1]
    out = np.empty(size, rows.dtype)
    parts = max(1, min(threads(), rows.size // SHARE))
    if parts == 1:
        kernel(rows, *args, out)
        return out
    cuts = [size * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        jobs = [pool.submit(kernel, rows[:, a:b], *args, out[a:b]) for a, b in itertools.pairwise(cuts)]
        for job in jobs:
            job.result()
    return out


def _sorted(rows: np.ndarray, chosen: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The means of the rows that `chosen` takes of every block of columns, once each column is in order.

    A block is turned round first: what lies one beside the other is sorted faster.
    """
    out = np.empty(rows.shape[1], rows.dtype)
    for start in range(0, rows.shape[1], BLOCK):
        turned = np.array(rows[:, start : start + BLOCK].T, order="C")
        turned.sort(axis=1)
        ordered = turned.T
        found = chosen(ordered).mean(axis=0, dtype=np.float64)
        found[~(np.isfinite(ordered[0]) & np.isfinite(ordered[-1]))] = np.nan
        out[start : start + BLOCK] = found
    return out


def _nearest(ordered: np.ndarray, keep: int) -> np.ndarray:
    """(keep, d) the values nearest the median of every column, from columns in ascending order: always neighbours."""
    count = len(ordered)
    median = (ordered[(count - 1) // 2].astype(np.float64) + ordered[count // 2]) / 2
    first, last = np.zeros(ordered.shape[1], np.int64), np.full(ordered.shape[1], count - 1)
    for _ in range(count - keep):
        below = median - np.take_along_axis(ordered, first[None], 0)[0]
        above = np.take_along_axis(ordered, last[None], 0)[0] - median
        first, last = first + (below > above), last - (below <= above)
    found: np.ndarray = np.take_along_axis(ordered, first + np.arange(keep)[:, None], 0)
    return found
