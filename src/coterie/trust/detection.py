"""Which updates stand out: robust z-scores of statistics over the updates that came together.

Iglewicz, Hoaglin 1993, "How to Detect and Handle Outliers": the distance from the median in units of the median absolute
deviation, 3.5 of which they take for an outlier. Corrections for few values: Croux, Rousseeuw 1992, "Time-efficient algorithms for
two highly robust estimators of scale".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from coterie.core.errors import ScenarioError
from coterie.trust.seen import STATISTICS, Seen, Statistic

FEWEST = 5
"""Of fewer updates nobody can say which stands out."""
NORMAL = 1.4826
"""What makes the median absolute deviation of normal numbers their standard deviation."""
OF_FEW = {4: 1.363, 5: 1.206, 6: 1.200, 7: 1.140, 8: 1.129, 9: 1.107}
HEAVY = (4.2, 3.2)
"""Scores of n normal numbers are divided by 1 + a / (n - b): as many are then above 2.8 as of normal numbers, one in 200. Found by
simulation: of five numbers the deviation of the middle three says little, and scores have long tails."""
FAINT = 1e-3
"""Numbers that differ by less than this share of their median do not stand out from one another."""

Action = Literal["flag", "down-weight", "cut"]


class Found(NamedTuple):
    """What stands out. scores: (n,) the largest robust z-score of each update in the suspicious direction; statistics: (n,) whose it is."""

    scores: np.ndarray
    statistics: tuple[str, ...]


@dataclass(frozen=True)
class Detection:
    """Looks at updates beside any rule.

    statistics: by name. threshold: the robust z-score from which an update stands out. action: whether it is only flagged, weighs
    less (times threshold / score), or is cut.
    """

    statistics: tuple[str, ...] = ("norm", "cosine", "distance", "spectral")
    threshold: float = 3.5
    action: Action = "flag"

    @cached_property
    def made(self) -> tuple[Statistic, ...]:
        """The statistics; raises ScenarioError for one that there is not."""
        if not self.statistics:
            raise ScenarioError.at("statistics", "is empty: nothing would be looked at", f"write some of {', '.join(STATISTICS.names())}")
        return tuple(STATISTICS.entry(name, f"statistics.{place}").thing for place, name in enumerate(self.statistics))

    @property
    def needs_losses(self) -> bool:
        """Whether a statistic needs data of the node's own."""
        return any(one.needs_losses for one in self.made)

    def found(self, seen: Seen) -> Found:
        """What stands out among n updates; nothing among fewer than FEWEST."""
        (found,) = self.found_in([seen])
        return found

    def found_in(self, groups: Sequence[Seen]) -> list[Found]:
        """The same of several groups of as many updates each."""
        count = groups[0].count
        if count < FEWEST:
            return [Found(np.zeros(count), ("",) * count) for _ in groups]
        scores = robust_z(np.array([[one(seen) for one in self.made] for seen in groups]))
        both = np.array([one.tail == "both" for one in self.made])
        scores = np.where(both[:, None], np.abs(scores), np.maximum(scores, 0))
        names = [one.name for one in self.made]
        best, most = scores.argmax(axis=1).tolist(), scores.max(axis=1)
        return [Found(values, tuple(names[place] for place in places)) for values, places in zip(most, best, strict=True)]


def robust_z(values: Any) -> np.ndarray:
    """(…, n) how many robust standard deviations each of `values` (…, n) is from the median of its line.

    A value that is not finite is ±∞ away. Where more than half are equal, the mean absolute deviation stands in for the median one.
    """
    values = np.asarray(values, dtype=np.float64)
    count = values.shape[-1]
    middle = np.median(values, axis=-1, keepdims=True)
    sane = np.isfinite(middle)
    with np.errstate(invalid="ignore"):
        off = values - np.where(sane, middle, 0.0)
        size = np.abs(off)
        scale = NORMAL * np.median(size, axis=-1, keepdims=True)
        known = np.isfinite(size)
        mean = np.where(known, size, 0.0).sum(axis=-1, keepdims=True) / np.maximum(1, known.sum(axis=-1, keepdims=True))
        scale = np.where(scale > 0, OF_FEW.get(count, count / (count - 0.8)) * scale, 1.2533 * mean)
        scale = scale * (1 + HEAVY[0] / (max(count, FEWEST) - HEAVY[1]))
        scale = np.maximum(scale, np.maximum(FAINT * np.abs(np.where(sane, middle, 0.0)), np.finfo(np.float64).tiny))
        found = np.where(known, off / scale, np.copysign(np.inf, off))
    return np.where(sane, found, 0.0)
