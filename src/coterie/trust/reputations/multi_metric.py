"""Several measures of behaviour in one number, with fixed weights.

After the reputation of NEBULA (Martínez Beltrán et al. 2024, "Fedstellar", https://arxiv.org/abs/2306.09750), whose measures these
are: how like the others' a model is, how much of it changed, how late it came, and how many messages did. Theirs are weighed by how far
they are from their history, at random where none is; here the weights are written down.
"""

from dataclasses import dataclass

import numpy as np

from coterie.core.bounds import Fraction, NonNegative
from coterie.trust.reputation import Evidence, Reputation, reputation, slowly_up


@reputation("multi-metric")
@dataclass(frozen=True)
class MultiMetric(Reputation):
    """The weighted mean of four measures in [0, 1], from 0.5 at the start; 0 in a round in which the update stands out.

    similarity: the cosine to the median update. changed: the share of numbers changed, over that of the median. latency: 1 / (1 + rounds
    behind). messages: 1 / how many came where one was due. Moved by the share `rise` upwards and `fall` downwards each round.
    """

    similarity: NonNegative = 0.4
    changed: NonNegative = 0.2
    latency: NonNegative = 0.2
    messages: NonNegative = 0.2
    rise: Fraction = 0.1
    fall: Fraction = 0.5

    def observed(self, rows: np.ndarray, evidence: Evidence) -> np.ndarray:
        """The measures of this round."""
        weights = np.array([self.similarity, self.changed, self.latency, self.messages])
        usual = float(np.median(evidence.changed)) or 1.0
        measures = np.stack(
            [
                _over(evidence.similarity),
                np.minimum(1.0, evidence.changed / usual),
                1 / (1 + np.maximum(evidence.lags, 0)),
                1 / np.maximum(evidence.messages, 1),
            ]
        )
        now = evidence.good * (weights @ measures) / (weights.sum() or 1.0)
        return slowly_up(rows[:, 0], now, self.rise, self.fall)[:, None]


def _over(similarity: np.ndarray) -> np.ndarray:
    """As a share of the median similarity: gradients of few samples are like nobody's, and that is no one's fault."""
    usual = float(np.median(similarity))
    found: np.ndarray = np.minimum(1.0, similarity / usual) if usual > 0 else np.ones(len(similarity))
    return found
