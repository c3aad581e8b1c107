"""Bulyan: Krum again and again, then the mean around the median of what it picked.

El Mhamdi, Guerraoui, Rouault 2018, "The Hidden Vulnerability of Distributed Learning in Byzantium",
https://arxiv.org/abs/1802.07927, section 4.
"""

import numpy as np

from coterie.aggregation import columns
from coterie.aggregation.arrays import Array
from coterie.aggregation.breakdown import Breakdown
from coterie.aggregation.choosing import krum_scores, lowest
from coterie.aggregation.points import Points
from coterie.aggregation.rules import points_rule
from coterie.core.bounds import Natural


@points_rule(Breakdown(4, 3))
def bulyan(points: Points, *, byzantine: Natural) -> Array:
    """Krum picks n - 2 · `byzantine` updates one by one; of each coordinate, the values nearest their median are averaged.

    As many values as picks, less twice `byzantine`. Each pick is Krum's among those left, with as many neighbours as Krum takes of
    that number. Ties go to the lowest index. Weights do not count.
    """
    left = np.arange(points.count)
    picked: list[int] = []
    while len(picked) < points.count - 2 * byzantine:
        scores = krum_scores(points, left, max(1, len(left) - byzantine - 2))
        pick = left[lowest(points, 1, scores)[0]] if len(left) > 1 else left[0]
        picked.append(int(pick))
        left = left[left != pick]
    points.tell(np.bincount(picked, minlength=points.count) / len(picked))
    return points.columns(lambda block: columns.around_median(block, len(picked) - 2 * byzantine), sorted(picked))
