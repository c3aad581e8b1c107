"""The coordinate-wise median.

Yin et al. 2018, "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates", https://arxiv.org/abs/1803.01498.
"""

from coterie.aggregation.arrays import Array, sorted_rows
from coterie.aggregation.rules import rule


@rule
def median(updates: Array, weights: Array) -> Array:  # noqa: ARG001 - a claimed weight must not move a median
    """The median of every coordinate, all updates alike; for an even number the mean of the two middle ones."""
    ordered, middle = sorted_rows(updates), len(updates) // 2
    return ordered[middle] if len(updates) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
