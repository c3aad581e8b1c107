"""A share of the nodes, drawn anew each round: the C of FedAvg (McMahan et al. 2017), where max(C · K, 1) clients take part."""

import numpy as np

from coterie.core.bounds import Fraction
from coterie.selection import Ids, selection
from coterie.selection.number import lowest


@selection("fraction")
def fraction(_round: int, eligible: Ids, draw: np.random.Generator, *, share: Fraction) -> Ids:
    """A `share` of those who can, drawn each round: the nearest whole number, at least one."""
    return lowest(eligible, draw, max(1, int(share * len(eligible) + 0.5)))
