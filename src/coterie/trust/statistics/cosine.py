"""The angle to the median update: sign flips point the other way. As FLTrust and Sentinel measure it to a vector of their own."""

import numpy as np

from coterie.trust.seen import Seen, statistic


@statistic("cosine")
def cosine(seen: Seen) -> np.ndarray:
    """1 - the cosine of each update to the median update."""
    return seen.turned
