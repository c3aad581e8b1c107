"""The length of an update: scaled ones are long, those of free riders short. Sun et al. 2019, https://arxiv.org/abs/1911.07963."""

import numpy as np

from coterie.trust.seen import Seen, statistic


@statistic("norm", tail="both")
def norm(seen: Seen) -> np.ndarray:
    """How long each update is."""
    return seen.lengths
