"""A fixed number of classes for each node.

The quantity-based label imbalance "#C = k" of Li et al., Federated Learning on Non-IID Data Silos, ICDE 2022: every node
holds k classes, and the samples of a class are shared equally by its holders.
"""

from typing import Annotated

import numpy as np
from annotated_types import Ge

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged, offsets_of


@partition("pathological")
def pathological(pool: Pool, *, classes: Count = 2, bins: Annotated[int, Ge(2)] = 10) -> Ragged:
    """Exactly `classes` classes a node, each class shared equally by its holders.

    The first class of a node goes round-robin, the others are drawn, so with at least as many nodes as classes every class
    is held; the samples of a class that nobody holds are not used. Numbers to predict count as classes by `bins` of equal
    counts.
    """
    labels = pool.labels(bins)
    sizes = np.bincount(labels)
    if classes > len(sizes):
        raise ScenarioError.at("classes", f"a node cannot hold {classes} of {len(sizes)} classes", f"write classes: {len(sizes)} or fewer")
    nodes = np.arange(pool.count)
    luck = pool.draw("pathological").random((pool.count, len(sizes)))
    first = np.argsort(pool.draw("pathological-first").random(len(sizes)))
    luck[nodes, first[nodes % len(sizes)]] = -1.0
    held = (
        np.argpartition(luck, classes - 1, axis=1)[:, :classes] if classes < len(sizes) else np.tile(np.arange(len(sizes)), (pool.count, 1))
    )
    order = np.lexsort((np.repeat(nodes, classes), held.ravel()))  # holders of class 0, of class 1, …, each by node
    holders = offsets_of(np.bincount(held.ravel(), minlength=len(sizes)))
    mine = labels[by_label := pool.by_label(labels)]
    rank = np.arange(pool.size) - offsets_of(sizes)[mine]
    count = np.diff(holders)[mine]
    owners = np.full(pool.size, -1, np.int64)
    seat = holders[mine] + rank * count // sizes[mine]
    owners[by_label] = np.where(count > 0, np.repeat(nodes, classes)[order][np.minimum(seat, len(order) - 1)], -1)
    return pool.dealt(owners)
