"""Everybody trains in every round."""

import numpy as np

from coterie.selection import Ids, selection


@selection("all")
def everybody(_round: int, eligible: Ids, _draw: np.random.Generator) -> Ids:
    """Everybody, in every round."""
    return eligible
