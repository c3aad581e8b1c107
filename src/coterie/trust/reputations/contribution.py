"""What an update adds to the others': leave-one-out, by loss or by cosine.

Leave-one-out: Cook 1977; for data and clients Ghorbani, Zou 2019, "Data Shapley", section 3. The cosine to the others in its place
needs no data: Xu et al. 2021, "Gradient Driven Rewards to Guarantee Fairness in Collaborative Machine Learning", NeurIPS.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from coterie.core.bounds import Fraction
from coterie.trust.reputation import Evidence, Reputation, reputation, slowly_up


@dataclass(frozen=True)
class _Contribution(Reputation):
    rise: Fraction = 0.1
    fall: Fraction = 0.5


@reputation("contribution")
@dataclass(frozen=True)
class Contribution(_Contribution):
    """The cosine of an update to the sum of the others, as a share of the median one; 0 in a round in which it stands out."""

    def observed(self, rows: np.ndarray, evidence: Evidence) -> np.ndarray:
        """This round's contributions."""
        usual = float(np.median(evidence.beside_others))
        now = np.minimum(1.0, evidence.beside_others / usual) if usual > 0 else np.ones(evidence.count)
        return slowly_up(rows[:, 0], evidence.good * now, self.rise, self.fall)[:, None]


@reputation("leave-one-out")
@dataclass(frozen=True)
class LeaveOneOut(_Contribution):
    """By how much the loss on the node's own data would be higher without an update, from 0 (much lower) over 0.5 to 1 (much higher).

    In units of the median change; n losses a round.
    """

    needs_losses: ClassVar[bool] = True

    def observed(self, rows: np.ndarray, evidence: Evidence) -> np.ndarray:
        """This round's contributions."""
        usual = float(np.median(np.abs(evidence.left_out)))
        now = 0.5 + 0.5 * np.tanh(evidence.left_out / usual) if usual > 0 else np.full(evidence.count, 0.5)
        return slowly_up(rows[:, 0], evidence.good * now, self.rise, self.fall)[:, None]
