"""How n updates lie to one another, from their inner products alone, for many groups of as many updates at once.

Each group is looked at by itself: what is found does not depend on the others. The median update is the geometric median, in shares
of the updates (Weiszfeld 1937; distances below a thousandth of the usual one count as that).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from coterie.aggregation.geometric_median import ROUGH
from coterie.aggregation.gram import PRECISE, Gram

ROUGHLY = 1e-3
"""How far from the geometric median, as a share of the median distance, is near enough."""
MOST_STEPS = 1000
FAINT = 1e-150
"""Distances below this count as that."""


class Look(NamedTuple):
    """What there is to see: (n,) each.

    lengths: of the updates. median: their shares in the median update. away: distances from it. turned: 1 - cosine to it, right also
    where that is tiny; 1 for an update of no length. along: how far each is from it along the direction in which they vary most about it.
    """

    lengths: np.ndarray
    median: np.ndarray
    away: np.ndarray
    turned: np.ndarray
    along: np.ndarray


def looks(grams: Sequence[Gram], count: int) -> list[Look | None]:
    """Of each group: `count` updates, then the origin, come first in its `grams`. None where float32 does not tell enough."""
    products = np.stack([gram.products[: count + 1, : count + 1] for gram in grams])
    inner, line = products[:, :count, :count], products[:, count, :count]
    norms = np.diagonal(inner, axis1=1, axis2=2)
    seen = inner - line[:, None] - line[:, :, None] + products[:, count, count, None, None]
    lengths = np.sqrt(np.maximum(np.diagonal(seen, axis1=1, axis2=2), 0))
    median = _medians(inner, norms)
    squared, across = _squared(inner, norms, median)
    away = np.sqrt(squared)
    middle = np.sqrt(np.maximum(_on_both_sides(seen, median), 0))[:, None]
    both = 2 * lengths * middle
    # |a - b|² = (|a| - |b|)² + 2 |a| |b| (1 - cos), and distances are known better than inner products from afar
    turned = np.clip(np.divide(squared - (lengths - middle) ** 2, both, out=np.ones_like(both), where=both > 0), 0.0, 2.0)
    values, vectors = np.linalg.eigh(inner - across[:, None] - across[:, :, None] + _times(median, across)[:, None, None])
    along = np.sqrt(np.maximum(values[:, -1:], 0)) * vectors[:, :, -1]
    reach = np.stack([gram.reach[:count] for gram in grams])
    worth = np.array([gram.precision for gram in grams])
    vague = (worth > PRECISE) & (squared < ROUGH * worth[:, None] * reach**2).any(axis=1)
    return [None if vague[at] else Look(lengths[at], median[at], away[at], turned[at], along[at]) for at in range(len(grams))]


def _medians(inner: np.ndarray, norms: np.ndarray) -> np.ndarray:
    """(k, n) shares of the geometric medians."""
    groups, count = norms.shape
    found, left = np.full((groups, count), 1 / count), np.arange(groups)
    for _ in range(MOST_STEPS):
        some, shares = inner[left], found[left]
        away = np.sqrt(_squared(some, norms[left], shares)[0])
        usual = np.partition(away, (count - 1) // 2, axis=1)[:, (count - 1) // 2]
        pull = 1 / np.maximum(away, np.maximum(ROUGHLY * usual, FAINT)[:, None])
        found[left] = pull / pull.sum(axis=1, keepdims=True)
        step = np.sqrt(np.maximum(_on_both_sides(some, found[left] - shares), 0))
        left = left[step > ROUGHLY * usual]
        if not len(left):
            break
    return found


def _squared(inner: np.ndarray, norms: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((k, n) squared distances of the updates from sums with `shares` (k, n), (k, n) their inner products with these)."""
    along = np.matmul(inner, shares[:, :, None])[:, :, 0]
    return np.maximum(norms - 2 * along + _times(shares, along)[:, None], 0), along


def _on_both_sides(products: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(k,) the squared lengths of sums."""
    return _times(shares, np.matmul(products, shares[:, :, None])[:, :, 0])


def _times(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(k,) inner products of rows."""
    found: np.ndarray = (one * other).sum(axis=1)
    return found
