"""The geometric median, to convergence.

Weiszfeld 1937; where the minimum is one of the points, the condition of Kuhn 1973, "A note on Fermat's problem". Steps past
points: Vardi and Zhang 2000, "The multivariate L1-median and associated data depth".
"""

import numpy as np

from coterie.aggregation.breakdown import MAJORITY
from coterie.aggregation.points import Points
from coterie.aggregation.rules import gram_rule
from coterie.core.bounds import Positive

MOST_STEPS = 10_000
ROUGH = 1e3
"""Squared distances below so many times their error are computed anew."""


@gram_rule(MAJORITY)
def geometric_median(points: Points, weights: np.ndarray, *, tolerance: Positive = 1e-9) -> np.ndarray:
    """The point with the least weighted sum of distances to the updates; bad ones must weigh less than half.

    tolerance: the longest last step, as a share of the median distance. Where there are many such points (an even number of updates
    on a line), the one that steps from the weighted mean lead to.
    """
    alphas = weights / weights.sum()
    vertex = _vertex(points, alphas)
    shares: np.ndarray = alphas if vertex is None else np.eye(points.count)[vertex]
    for _ in range(0 if vertex is not None else MOST_STEPS):
        squared = squared_from(points, shares)
        if (squared < ROUGH * points.gram.precision * points.gram.reach[: points.count] ** 2).any():
            points.sharpen()
            squared = squared_from(points, shares)
        step, length = _step(points, alphas, shares, np.sqrt(squared))
        shares = shares + step
        if length <= tolerance * _usual(alphas, np.sqrt(squared)):
            break
    return shares


def _step(points: Points, alphas: np.ndarray, shares: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, float]:
    """(the change of the shares, the length of the step); on a point, its weight holds the step back."""
    on = away <= 1e-12 * _usual(alphas, away)
    pull = np.where(on, 0, alphas) / np.where(on, 1, away)
    step = pull / pull.sum() - shares
    length = float(np.sqrt(max(0.0, step @ points.gram.products[: points.count, : points.count] @ step)))
    if on.any() and length > 0:
        free = max(0.0, 1 - alphas[on].sum() / (pull.sum() * length))
        step, length = free * step, free * length
    return step, length


def _usual(alphas: np.ndarray, away: np.ndarray) -> float:
    """The median distance, by weight: no minority moves it."""
    first = np.argsort(away)
    return float(away[first][np.searchsorted(np.cumsum(alphas[first]), 0.5)])


def begin(points: Points, alphas: np.ndarray, start: str | int) -> np.ndarray:
    """(m,) the shares of where an iteration starts: `zero`, `mean` (by `alphas`), or the point at a place."""
    shares = np.zeros(points.total)
    if start == "mean":
        shares[: points.count] = alphas
    else:
        shares[points.origin if isinstance(start, str) else start] = 1
    return shares


def squared_from(points: Points, shares: np.ndarray) -> np.ndarray:
    """(n,) the squared distances of the updates from the sum of points with `shares` (k,) that add up to 1."""
    products = points.gram.products[: len(shares), : len(shares)]
    along = products @ shares
    norms = np.diagonal(points.gram.products)[: points.count]
    away: np.ndarray = norms - 2 * (points.gram.products[: points.count, : len(shares)] @ shares) + shares @ along
    np.maximum(away, 0, out=away)
    return away


def _vertex(points: Points, alphas: np.ndarray) -> int | None:
    """The first update that is the median: the pull of all others on it is no stronger than its own weight."""
    count = points.count
    products = points.gram.products[:count, :count]
    while True:
        distances, errors = points.squared[:count, :count], points.errors[:count, :count]
        same = distances <= 4 * errors
        with np.errstate(divide="ignore"):
            pulls = np.where(same, 0, alphas / np.sqrt(distances))
        total = pulls.sum(axis=1)
        along = pulls @ products
        forces = (along * pulls).sum(axis=1) - 2 * total * np.diagonal(along) + total**2 * np.diagonal(products)
        held = (same * alphas).sum(axis=1)
        found = np.flatnonzero(forces <= (held * (1 + 1e-9)) ** 2)
        if not len(found):
            return None
        twins = [(place, int(other)) for place in found[:1] for other in np.flatnonzero(same[place]) if other != place]
        if not points.settle(twins):
            return int(found[0])
