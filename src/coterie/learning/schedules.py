"""Learning-rate schedules: pure functions `(time, *, parameters) -> factor` of the learning rate.

time: the round, or the step within a round (`schedule_by`), from 0.
"""

import math
from collections.abc import Callable

from coterie.core.bounds import Count, Fraction, Natural, Positive, Probability
from coterie.core.registry import Registry

SCHEDULES: Registry[Callable[..., float]] = Registry("learning-rate schedule")
schedule = SCHEDULES.register


@schedule()
def constant(time: int) -> float:  # noqa: ARG001
    """The same rate always."""
    return 1.0


@schedule()
def step(time: int, *, every: Count, factor: Fraction = 0.1) -> float:
    """Multiplied by `factor` after each `every`."""
    return float(factor ** (time // every))


@schedule()
def exponential(time: int, *, factor: Positive) -> float:
    """Multiplied by `factor` each time."""
    return float(factor**time)


@schedule()
def cosine(time: int, *, period: Count, floor: Probability = 0.0) -> float:
    """Half a cosine from 1 down to `floor` over `period`, and `floor` after it (Loshchilov and Hutter 2017, without restarts)."""
    turn = math.pi * min(time, period) / period
    return floor + (1 - floor) * (1 + math.cos(turn)) / 2


@schedule("warm-up")
def warm_up(time: int, *, length: Count) -> float:
    """From 1 / `length` evenly up to 1 over `length`, then constant."""
    return min(1.0, (time + 1) / length)


@schedule("warm-up-cosine")
def warm_up_cosine(time: int, *, length: Natural, period: Count, floor: Probability = 0.0) -> float:
    """Up as `warm-up` for `length`, then down as `cosine` for the `period` that follows."""
    return warm_up(time, length=length) if time < length else cosine(time - length, period=period, floor=floor)


@schedule("inverse-square-root")
def inverse_square_root(time: int) -> float:
    """1 / √(time + 1): the decreasing rate of convergence proofs."""
    return 1 / math.sqrt(time + 1)
