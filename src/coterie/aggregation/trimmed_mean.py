"""The coordinate-wise trimmed mean.

Yin et al. 2018, "Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates", https://arxiv.org/abs/1803.01498.
"""

from coterie.aggregation.arrays import Array, sorted_rows
from coterie.aggregation.rules import TooFew, rule
from coterie.core.bounds import Natural


@rule
def trimmed_mean(updates: Array, weights: Array, *, byzantine: Natural) -> Array:  # noqa: ARG001 - a claimed weight must not count
    """The mean of every coordinate without its `byzantine` lowest and highest values; needs more than twice as many updates."""
    if len(updates) <= 2 * byzantine:
        raise TooFew(f"a trimmed mean against {byzantine} bad updates needs at least {2 * byzantine + 1}, there are {len(updates)}")
    return sorted_rows(updates)[byzantine : len(updates) - byzantine].mean(0)
