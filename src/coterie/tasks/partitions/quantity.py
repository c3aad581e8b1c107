"""Quantity skew: every node draws from the same distribution, but how much differs.

Li et al., Federated Learning on Non-IID Data Silos, ICDE 2022, section "quantity skew", with the size laws that real
federations show: log-normal and power law (Caldas et al., LEAF: A Benchmark for Federated Settings, 2018).
"""

from typing import Annotated

import numpy as np
from annotated_types import Gt, Lt
from numpy.typing import NDArray

from coterie.core.bounds import Positive
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged

Exponent = Annotated[float, Gt(1), Lt(float("inf"))]


@partition("log-normal")
def log_normal(pool: Pool, *, sigma: Positive = 1.0) -> Ragged:
    """Quantity skew: sizes in proportion to exp(sigma · N(0, 1)), samples drawn uniformly."""
    return _by_size(pool, sigma * pool.draw("log-normal").standard_normal(pool.count))


@partition("power-law")
def power_law(pool: Pool, *, exponent: Exponent = 2.0) -> Ragged:
    """Quantity skew: the density of sizes falls as size^-exponent (Pareto; near 1 a few nodes own nearly all)."""
    return _by_size(pool, -np.log1p(-pool.draw("power-law").random(pool.count)) / (exponent - 1))


def _by_size(pool: Pool, logs: NDArray[np.float64]) -> Ragged:
    """Shares in proportion to exp(logs) (nodes,)."""
    shares = np.cumsum(np.exp(logs - logs.max()))
    cuts = np.rint(shares / shares[-1] * pool.size).astype(np.int64)
    owners = np.empty(pool.size, np.int64)
    owners[np.argsort(pool.keys)] = np.repeat(np.arange(pool.count), np.diff(cuts, prepend=0))
    return pool.dealt(owners)
