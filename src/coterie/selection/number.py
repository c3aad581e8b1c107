"""So many nodes, drawn anew each round (the random set S_t of McMahan et al. 2017, "Communication-efficient learning of
deep networks from decentralized data").
"""

import numpy as np

from coterie.core.bounds import Count
from coterie.selection import Ids, selection


def lowest(eligible: Ids, draw: np.random.Generator, count: int) -> Ids:
    """The `count` of the `eligible` with the lowest luck, ascending.

    The i-th number of the draw is the luck of node i, so a node that joins or drops out changes nobody else's: it displaces,
    or makes room for, one other at most.
    """
    if count >= len(eligible):
        return eligible
    luck = draw.random(int(eligible[-1]) + 1)[eligible]
    return np.sort(eligible[np.argpartition(luck, count - 1)[:count]])


@selection("number")
def number(_round: int, eligible: Ids, draw: np.random.Generator, *, count: Count) -> Ids:
    """`count` nodes drawn each round, or everybody where there are fewer."""
    return lowest(eligible, draw, count)
