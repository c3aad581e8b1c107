"""The strongest of a family of attacks against a known rule, by line search.

Shejwalkar, Houmansadr 2021, "Manipulating the Byzantine", NDSS, section IV; the search (double, then shorten the step) is that of
Allouah, Farhadkhani, Guerraoui, Gupta, Pinot, Stephan 2023, "Fixing by Mixing", https://arxiv.org/abs/2302.01772, appendix.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from coterie.aggregation.gram import NotFinite
from coterie.attacks.attack import Function, update_attack
from coterie.attacks.statistics import deviation, mean
from coterie.core.bounds import Count, Finite, Positive, Probability

Rule = Callable[..., Any]


def _searched(name: str, what: str, line: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]) -> Function:
    """Registers the attack `name`; line: (the known updates (h, d)) → the point (d,) at factor 0, and the direction that it multiplies."""

    def attack(
        honest: np.ndarray,
        count: int,
        *,
        evaluations: Count = 20,
        first: Finite = 0.0,
        step: Positive = 10.0,
        ratio: Probability = 0.8,
        rule: Rule,
    ) -> np.ndarray:
        base, away = line(honest)
        return base + _strongest(honest, count, (base, away), rule, (evaluations, first, step, ratio)) * away

    attack.__name__ = attack.__qualname__ = name
    attack.__doc__ = f"""{what} that moves `rule` farthest from the mean of the known updates.

    Found in so many `evaluations` of the rule: from `first` in steps that double while it pays, then steps shortened by `ratio`.
    """
    return update_attack(sees={"own", "rule"})(attack)


optimal_alie = _searched(
    "optimal_alie", "The mean less z standard deviations, for the z", lambda honest: (mean(honest), -deviation(honest))
)
optimal_inner_product = _searched(
    "optimal_inner_product", "-epsilon times the mean, for the epsilon", lambda honest: (np.zeros(honest.shape[1]), -mean(honest))
)


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
