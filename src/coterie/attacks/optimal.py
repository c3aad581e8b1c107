"""The strongest of a family of attacks against a known rule, by line search.

Shejwalkar, Houmansadr 2021, "Manipulating the Byzantine", NDSS, section IV; the search (double, then shorten the step) is that of
Allouah, Farhadkhani, Guerraoui, Gupta, Pinot, Stephan 2023, "Fixing by Mixing", https://arxiv.org/abs/2302.01772, appendix.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from coterie.aggregation.gram import NotFinite
from coterie.attacks.attack import update_attack
from coterie.attacks.statistics import deviation, mean
from coterie.core.bounds import Count, Finite, Positive, Probability

Rule = Callable[..., Any]


@update_attack(sees={"own", "rule"})
def optimal_alie(
    honest: np.ndarray,
    count: int,
    *,
    evaluations: Count = 20,
    first: Finite = 0.0,
    step: Positive = 10.0,
    ratio: Probability = 0.8,
    rule: Rule,
) -> np.ndarray:
    """The mean less z standard deviations, for the z that moves `rule` farthest from the mean of the known updates.

    Found in so many `evaluations` of the rule: from `first` in steps that double while it pays, then steps shortened by `ratio`.
    """
    middle, spread = mean(honest), deviation(honest)
    return middle - _strongest(honest, count, (middle, -spread), rule, (evaluations, first, step, ratio)) * spread


@update_attack(sees={"own", "rule"})
def optimal_inner_product(
    honest: np.ndarray,
    count: int,
    *,
    evaluations: Count = 20,
    first: Finite = 0.0,
    step: Positive = 10.0,
    ratio: Probability = 0.8,
    rule: Rule,
) -> np.ndarray:
    """-epsilon times the mean, for the epsilon that moves `rule` farthest from the mean of the known updates.

    Found in so many `evaluations` of the rule: from `first` in steps that double while it pays, then steps shortened by `ratio`.
    """
    middle = mean(honest)
    return -_strongest(honest, count, (0 * middle, -middle), rule, (evaluations, first, step, ratio)) * middle


def _strongest(
    honest: np.ndarray, count: int, line: tuple[np.ndarray, np.ndarray], rule: Rule, search: tuple[int, float, float, float]
) -> float:
    """The factor of the direction line[1] from line[0] that harms most."""
    base, away = line
    left, best, step, ratio = search
    middle = mean(honest)
    rows = np.empty((len(honest) + count, honest.shape[1]), honest.dtype)
    rows[: len(honest)] = honest

    def harm(factor: float) -> float:
        rows[len(honest) :] = base + factor * away
        try:
            found = np.asarray(rule(rows), dtype=np.float64)
        except NotFinite:  # so large that it would be left out
            return 0.0
        return float(np.linalg.norm(found - middle))

    most, left, growing = harm(best), left - 1, True
    while left > 0:
        tried = harm(best + step)
        left -= 1
        better = tried > most
        if better:
            best, most = best + step, tried
        growing = growing and better
        step *= 2 if growing else ratio
    return best
