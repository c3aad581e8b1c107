"""Weights that peers claim (how many samples they trained on) and how far they are believed."""

from collections.abc import Sequence

import numpy as np


def credible(weights: Sequence[float]) -> np.ndarray:
    """(n,) bool: which claimed weights are numbers that can be a weight: finite and not negative."""
    values = np.asarray(weights, dtype=np.float64)
    return np.isfinite(values) & (values >= 0)


def capped(weights: Sequence[float], cap: float) -> np.ndarray:
    """(n,) float64: credible `weights`, none more than `cap` times their median (`inf`: as claimed).

    The median of the positive ones, so that no minority moves the cap; a node that lies about its samples gains at most
    the factor `cap`.
    """
    values = np.asarray(weights, dtype=np.float64)
    positive = values[values > 0]
    if not len(positive) or not np.isfinite(cap):
        return values
    return np.minimum(values, cap * np.median(positive))
