"""Where updates lie along the direction in which they vary most: attackers that push together are what they vary by.

After Shejwalkar and Houmansadr 2021 (DnC), all coordinates at once, about the median update in place of the mean.
"""

import numpy as np

from coterie.trust.seen import Seen, statistic


@statistic("spectral", tail="both")
def spectral(seen: Seen) -> np.ndarray:
    """The place of each update along the direction of greatest variance about the median update."""
    return seen.along
