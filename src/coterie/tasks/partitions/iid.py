"""Independent and identically distributed: every node gets an equal share, drawn uniformly."""

import numpy as np

from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged


@partition("iid")
def iid(pool: Pool) -> Ragged:
    """Equal shares drawn uniformly; sizes differ by one at most."""
    owners = np.empty(pool.size, np.int64)
    owners[np.argsort(pool.keys)] = np.arange(pool.size) * pool.count // pool.size
    return pool.dealt(owners)
