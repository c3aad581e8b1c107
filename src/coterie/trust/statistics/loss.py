"""The loss on the node's own data of the model that an update makes: what a bad update does, whatever it looks like.

As in UBAR (Guo et al. 2021) and Sentinel (Feng et al. 2023).
"""

import numpy as np

from coterie.trust.seen import Seen, statistic


@statistic("loss", needs_losses=True)
def loss(seen: Seen) -> np.ndarray:
    """The loss of each update's model on the node's own data."""
    return seen.losses
