"""Order statistics of every column, sorted by a network: what `columns` uses where numba is there.

Blocks of 64 columns stay in the nearest cache while a sorting network runs over their rows. They are loaded sixteen at a time:
a row is then read a page at a time, and not by four lines in each of many pages.
"""

import numba
import numpy as np

WIDTH = 64
STRIPE = 16
"""Blocks that are loaded together."""
CACHED = 2048
"""Rows of blocks that stay in the second cache."""


@numba.njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def _exchange(work: np.ndarray, pairs: np.ndarray) -> None:
    for number in range(len(pairs)):
        lesser, greater = work[pairs[number, 0]], work[pairs[number, 1]]
        for column in range(WIDTH):
            one, other = lesser[column], greater[column]
            lesser[column] = min(one, other)
            greater[column] = max(one, other)


@numba.njit(nogil=True, cache=True)
def _load(work: np.ndarray, wrong: np.ndarray, rows: np.ndarray, first: int) -> None:
    """Fills work (s, n, 64) from `first` on; wrong (s, 64) is 0 in columns of finite numbers, else NaN."""
    wrong[:] = 0
    for row in range(len(rows)):
        for place in range(len(work)):
            start = first + place * WIDTH
            to, spoiled = work[place, row], wrong[place]
            if start + WIDTH <= rows.shape[1]:
                given = rows[row, start : start + WIDTH]
                for column in range(WIDTH):
                    to[column] = given[column]
                    spoiled[column] += given[column] * 0
            else:
                for column in range(max(0, rows.shape[1] - start)):
                    to[column] = rows[row, start + column]
                    spoiled[column] += rows[row, start + column] * 0


@numba.njit(nogil=True, cache=True)
def _room(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    stripe = max(1, min(STRIPE, CACHED // len(rows)))
    return np.zeros((stripe, len(rows), WIDTH), rows.dtype), np.empty((stripe, WIDTH), rows.dtype)


@numba.njit(nogil=True, cache=True)
def middle(rows: np.ndarray, pairs: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
    """The mean of the ranks low … high - 1 of every column of `rows` (n, d), into `out` (d,); `pairs` is their network."""
    work, wrong = _room(rows)
    total = np.empty(WIDTH, np.float64)
    for start in range(0, rows.shape[1], WIDTH):
        place = start // WIDTH % len(work)
        if place == 0:
            _load(work, wrong, rows, start)
        block = work[place]
        _exchange(block, pairs)
        total[:] = 0
        for row in range(low, high):
            values = block[row]
            for column in range(WIDTH):
                total[column] += values[column]
        for column in range(min(WIDTH, rows.shape[1] - start)):
            out[start + column] = total[column] / (high - low) + wrong[place, column]


@numba.njit(nogil=True, cache=True)
def around_median(rows: np.ndarray, pairs: np.ndarray, keep: int, out: np.ndarray) -> None:
    """The mean of the `keep` values nearest the median of every column of `rows` (n, d), into `out` (d,); `pairs` sort them all.

    They are neighbours in order. One farther on is taken for the first as long as it is nearer: so often they begin one later.
    """
    count = len(rows)
    work, wrong = _room(rows)
    begins, total = np.empty(WIDTH, np.int32), np.empty(WIDTH, np.float64)
    for start in range(0, rows.shape[1], WIDTH):
        place = start // WIDTH % len(work)
        if place == 0:
            _load(work, wrong, rows, start)
        block = work[place]
        _exchange(block, pairs)
        upper, lower = block[(count - 1) // 2], block[count // 2]
        begins[:] = 0
        for row in range(count - keep):
            nearer, farther = block[row + keep], block[row]
            for column in range(WIDTH):
                median = (np.float64(upper[column]) + np.float64(lower[column])) / 2
                begins[column] += median - farther[column] > nearer[column] - median
        total[:] = 0
        for row in range(count):
            values = block[row]
            for column in range(WIDTH):
                total[column] += values[column] if begins[column] <= row < begins[column] + keep else 0.0
        for column in range(min(WIDTH, rows.shape[1] - start)):
            out[start + column] = total[column] / keep + wrong[place, column]
