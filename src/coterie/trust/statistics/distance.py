"""The distance from the median update."""

import numpy as np

from coterie.trust.seen import Seen, statistic


@statistic("distance")
def distance(seen: Seen) -> np.ndarray:
    """How far each update is from the median update."""
    return seen.away
