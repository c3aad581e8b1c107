"""Updates as a statistic sees them: lengths and distances from one Gram matrix, and what is made of them once for all statistics."""

import functools
from collections.abc import Callable
from functools import cached_property
from typing import Literal, cast

import numpy as np

from coterie.aggregation.geometric_median import geometric_median, squared_from
from coterie.aggregation.kinds import Kind
from coterie.aggregation.points import Points
from coterie.core.registry import Registry

ROUGHLY = 1e-3
"""How far from the geometric median, as a share of the median distance, is near enough."""

Tail = Literal["high", "both"]


class Seen:
    """n updates beside one another.

    points: their inner products. losses: gives (n,) the loss of the model that each stands for on the node's own data; called only if
    a statistic asks.
    """

    def __init__(self, points: Points, losses: Callable[[], np.ndarray] | None = None) -> None:
        self.points, self.count = points, points.count
        self._losses = losses

    @cached_property
    def losses(self) -> np.ndarray:
        """(n,) losses on the node's own data; raises ValueError where there is none."""
        if self._losses is None:
            raise ValueError("no losses are known: the node has no data of its own")
        return np.nan_to_num(np.asarray(self._losses(), dtype=np.float64), nan=np.inf)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(n,) the lengths of the updates."""
        found: np.ndarray = np.sqrt(self.points.squared[: self.count, self.points.origin])
        return found

    @cached_property
    def median(self) -> np.ndarray:
        """(n,) the shares of the updates in the median update: the geometric median, which the Gram matrix gives for nothing."""
        found: np.ndarray = cast("Kind", geometric_median).function(self.points, np.ones(self.count), tolerance=ROUGHLY)
        return found[: self.count]

    @cached_property
    def away(self) -> np.ndarray:
        """(n,) distances from the median update."""
        found: np.ndarray = np.sqrt(squared_from(self.points, self.median))
        return found

    @cached_property
    def turned(self) -> np.ndarray:
        """(n,) 1 - cosine to the median update, right also where it is tiny; 1 for an update of no length.

        |a - b|² = (|a| - |b|)² + 2 |a| |b| (1 - cos), and distances are known better than inner products from afar.
        """
        seen = self.points.gram.seen_from(self.points.origin)[: self.count, : self.count]
        middle = float(np.sqrt(max(0.0, self.median @ seen @ self.median)))
        across = self.away**2 - (self.lengths - middle) ** 2
        both = 2 * self.lengths * middle
        return np.clip(np.divide(across, both, out=np.ones(self.count), where=both > 0), 0.0, 2.0)

    @cached_property
    def along(self) -> np.ndarray:
        """(n,) how far each update is from the median update along the direction in which they vary most about it."""
        products = self.points.gram.products[: self.count, : self.count]
        line = products @ self.median
        about = products - line - line[:, None] + self.median @ line
        values, vectors = np.linalg.eigh(about)
        found: np.ndarray = np.sqrt(max(0.0, float(values[-1]))) * vectors[:, -1]
        return found


class Statistic:
    """A number for each update; tail: whether only high ones are suspicious. needs_losses: whether it asks for losses."""

    def __init__(self, name: str, function: Callable[[Seen], np.ndarray], tail: Tail, *, needs_losses: bool) -> None:
        functools.update_wrapper(self, function)
        self.name, self.function, self.tail, self.needs_losses = name, function, tail, needs_losses

    def __call__(self, seen: Seen) -> np.ndarray:
        """(n,) the numbers."""
        return np.asarray(self.function(seen), dtype=np.float64)


STATISTICS: Registry[Statistic] = Registry("anomaly statistic", home="coterie.trust.statistics")


def statistic(name: str, *, tail: Tail = "high", needs_losses: bool = False) -> Callable[[Callable[[Seen], np.ndarray]], Statistic]:
    """Decorator: register `(seen) -> (n,)`, a number for each update."""

    def put(function: Callable[[Seen], np.ndarray]) -> Statistic:
        return STATISTICS.register(name)(Statistic(name, function, tail, needs_losses=needs_losses))

    return put
