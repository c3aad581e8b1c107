"""Shards of samples sorted by label.

McMahan et al., Communication-Efficient Learning of Deep Networks from Decentralized Data, AISTATS 2017, section 3: "sort the
data by digit label, divide it into 200 shards of size 300, and assign each of 100 clients 2 shards".
"""

import numpy as np

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged


@partition("shards")
def shards(pool: Pool, *, per_node: Count = 2) -> Ragged:
    """Samples sorted by label, cut into equal shards, `per_node` of them to each node (two: most nodes see two classes).

    Numbers to predict are sorted as they are.
    """
    total = pool.count * per_node
    if total > pool.size:
        raise ScenarioError.at(
            "per_node",
            f"{pool.size:,} samples cannot be cut into {total:,} shards",
            f"take fewer nodes, or at most {pool.size // pool.count} per node",
        )
    owner_of_shard = np.empty(total, np.int64)
    owner_of_shard[pool.draw("shards").permutation(total)] = np.arange(total) // per_node
    owners = np.empty(pool.size, np.int64)
    owners[np.lexsort((pool.keys, pool.targets))] = owner_of_shard[np.arange(pool.size) * total // pool.size]
    return pool.dealt(owners)
