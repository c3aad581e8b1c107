"""Beta reputation with forgetting: the expected share of good rounds.

Jøsang, Ismail 2002, "The Beta Reputation System", 15th Bled Electronic Commerce Conference, equations 5 and 11.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from coterie.core.bounds import Fraction, Positive
from coterie.trust.reputation import Evidence, Reputation, reputation


@reputation("beta")
@dataclass(frozen=True)
class Beta(Reputation):
    """(good + 1) / (good + bad + 2), where both fade: each round they are multiplied by `memory`, and a bad one counts `severity` times.

    The defaults hold those who are good three rounds out of four in quarantine, and let those who stand out once in ten by chance be.
    """

    columns: ClassVar[tuple[str, ...]] = ("good", "bad")

    memory: Fraction = 0.9
    severity: Positive = 5.0

    def began(self, score: float) -> np.ndarray:
        """As if so many bad rounds had been seen, or good ones."""
        score = min(max(score, 1e-3), 1 - 1e-3)
        return np.array([max(0.0, (2 * score - 1) / (1 - score)), max(0.0, 1 / score - 2)])

    def observed(self, rows: np.ndarray, evidence: Evidence) -> np.ndarray:
        """What is remembered, and this round."""
        found: np.ndarray = self.memory * rows + np.stack([evidence.good, self.severity * (1 - evidence.good)], axis=1)
        return found

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """The expectation of the beta distribution."""
        found: np.ndarray = (rows[:, 0] + 1) / (rows.sum(axis=1) + 2)
        return found
