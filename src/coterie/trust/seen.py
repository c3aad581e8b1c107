"""Updates as a statistic sees them: lengths and distances from one Gram matrix, and what is made of them once for all statistics."""

import functools
from collections.abc import Callable
from functools import cached_property
from typing import Literal

import numpy as np

from coterie.aggregation.points import Points
from coterie.core.registry import Registry
from coterie.trust.looks import Look, looks

Tail = Literal["high", "both"]


class Seen:
    """n updates beside one another.

    points: their inner products. losses: gives (n,) the loss of the model that each stands for on the node's own data; called only if
    a statistic asks. look: what the inner products tell, where it is known.
    """

    def __init__(self, points: Points, losses: Callable[[], np.ndarray] | None = None, look: Look | None = None) -> None:
        self.points, self.count = points, points.count
        if look is not None:
            self.look = look
        self._losses = losses

    @cached_property
    def losses(self) -> np.ndarray:
        """(n,) losses on the node's own data; raises ValueError where there is none."""
        if self._losses is None:
            raise ValueError("no losses are known: the node has no data of its own")
        return np.nan_to_num(np.asarray(self._losses(), dtype=np.float64), nan=np.inf)

    @cached_property
    def look(self) -> Look:
        """What their inner products tell."""
        (found,) = looks([self.points.gram], self.count)
        if found is None:
            self.points.sharpen()
            (found,) = looks([self.points.gram], self.count)
        assert found is not None
        return found

    @property
    def lengths(self) -> np.ndarray:
        """(n,) the lengths of the updates."""
        return self.look.lengths

    @property
    def median(self) -> np.ndarray:
        """(n,) the shares of the updates in the median update: the geometric median, which the Gram matrix gives for nothing."""
        return self.look.median

    @property
    def away(self) -> np.ndarray:
        """(n,) distances from the median update."""
        return self.look.away

    @property
    def turned(self) -> np.ndarray:
        """(n,) 1 - cosine to the median update, right also where it is tiny; 1 for an update of no length."""
        return self.look.turned

    @property
    def along(self) -> np.ndarray:
        """(n,) how far each update is from the median update along the direction in which they vary most about it."""
        return self.look.along


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
