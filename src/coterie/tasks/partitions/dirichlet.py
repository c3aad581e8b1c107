"""Label skew by a Dirichlet distribution.

Every class is split over the nodes in proportions drawn from Dirichlet(alpha, …, alpha): Yurochkin et al., Bayesian
Nonparametric Federated Learning of Neural Networks, ICML 2019; the recipe of Li et al., Federated Learning on Non-IID Data
Silos, ICDE 2022. Those redraw everything until each node has ten samples; here a poor node is filled up (see `minimum`).

The proportions are normalised gamma draws, a row per node. They are drawn as logarithms, since for a small alpha nearly all
of them are below the smallest float: log G(alpha) = log G(alpha + 1) + log(U) / alpha.
"""

import numpy as np

from coterie.core.bounds import Count, Positive
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged


@partition("dirichlet")
def dirichlet(pool: Pool, *, alpha: Positive = 0.5, bins: Count = 10) -> Ragged:
    """Label skew: each class is split over the nodes by Dirichlet(alpha); near 0 a class has one owner, large is even.

    Numbers to predict count as classes by `bins` of equal counts.
    """
    labels = pool.labels(bins)
    sizes = np.bincount(labels)
    shape = (pool.count, len(sizes))
    logs = np.log(pool.draw("dirichlet-gamma").standard_gamma(alpha + 1, shape))
    logs += np.log1p(-pool.draw("dirichlet-boost").random(shape)) / alpha
    shares = np.cumsum(np.exp(logs - logs.max(axis=0)), axis=0)
    cuts = np.rint(shares / shares[-1] * sizes).astype(np.int64)
    counts = np.diff(cuts, axis=0, prepend=0)
    owners = np.empty(pool.size, np.int64)
    owners[pool.by_label(labels)] = np.repeat(np.tile(np.arange(pool.count), len(sizes)), counts.T.ravel())
    return pool.dealt(owners)
