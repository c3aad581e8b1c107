"""A little is enough: off the mean, within what passes for chance.

Baruch, Baruch, Goldberg 2019, "A Little Is Enough: Circumventing Defenses For Distributed Learning",
https://arxiv.org/abs/1902.06156, algorithm 3.
"""

from statistics import NormalDist
from typing import Literal

import numpy as np

from coterie.attacks.attack import update_attack
from coterie.attacks.statistics import deviation, mean
from coterie.core.bounds import Finite

USUAL = 1.5
"""The deviations that are taken where the formula gives none."""


@update_attack(sees={"own"})
def alie(honest: np.ndarray, count: int, *, z: Finite | None = None, sign: Literal[-1, 1] = -1) -> np.ndarray:
    """The mean of the known updates, `z` of their standard deviations away in every coordinate (of a sample, over h - 1).

    By default the paper's largest z that leaves the attackers among the majority: the normal quantile of (n - f - s) / (n - f) for
    s = ⌊n / 2 + 1⌋ - f; where that is not above 0 (ten nodes, two of them bad), 1.5. sign: below the mean, as in the paper, or above.
    """
    return mean(honest) + sign * (largest(len(honest), count) if z is None else z) * deviation(honest)


def largest(honest: int, count: int) -> float:
    """The z of the paper for `honest` good and `count` bad nodes."""
    supporters = (honest + count) // 2 + 1 - count
    found = NormalDist().inv_cdf((honest - supporters) / honest) if 0 < supporters < honest else 0.0
    return found if found > 0 else USUAL
