"""Votes on who does harm on one's own data: the trust of Sentinel, and what SentinelGlobal makes of it together.

Feng, Huertas Celdrán, Baltensperger, Martínez Beltrán, Bovet, Stiller 2023, "Sentinel: An Aggregation Function to Secure
Decentralized Federated Learning", https://arxiv.org/abs/2310.08097. Three things differ: excess losses are averaged, where there the
losses are; layers are not clipped; and a model that is voted out is still looked at, so that it can come back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from coterie.aggregation.points import quotient
from coterie.core.bounds import Count, Probability
from coterie.trust.ledger import Ledger
from coterie.trust.reputation import Evidence, Reputation, reputation

LEAST_LOSS = 1e-3
MAJORITY = 0.5


@reputation("votes")
@dataclass(frozen=True)
class Votes(Reputation):
    """exp(-excess), the mean over rounds of how much worse than the node's own a model does on its data, as a share of its own loss.

    A model whose cosine to the node's own is below `similarity` has no trust in that round. From so many rounds `after` a node was first
    seen, it counts only if half of all votes, the node's own and those of its neighbours, are for it: a vote is a trust of `quarantine`
    or more.
    """

    columns: ClassVar[tuple[str, ...]] = ("rounds", "excess")
    needs_losses: ClassVar[bool] = True
    needs_opinions: ClassVar[bool] = True

    quarantine: Probability = 0.1
    newcomer: Probability = 0.1
    similarity: Probability = 0.5
    after: Count = 3

    def began(self, score: float) -> np.ndarray:
        """The excess that comes to that trust."""
        return np.array([0.0, -np.log(max(score, 1e-6))])

    def observed(self, rows: np.ndarray, evidence: Evidence) -> np.ndarray:
        """One more round in the mean; the first replaces what a node began with."""
        mine = evidence.mine
        if mine is None:
            raise ValueError("votes are about models, the node's own among them")
        losses, points = evidence.seen.losses, evidence.seen.points
        excess = np.maximum(losses - losses[mine], 0) / max(LEAST_LOSS, losses[mine])
        seen = points.gram.seen_from(points.origin)[: evidence.count, : evidence.count]
        lengths = np.sqrt(np.maximum(np.diagonal(seen), 0))
        excess[quotient(seen[mine], lengths * lengths[mine]) < self.similarity] = np.inf
        excess = np.minimum(excess, -np.log(self.quarantine / 2) * self.after)
        rounds = rows[:, 0] + 1
        return np.stack([rounds, rows[:, 1] + (excess - rows[:, 1]) / rounds], axis=1)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """exp(-excess)."""
        found: np.ndarray = np.exp(-rows[:, 1])
        return found

    def judged(self, me: int, ids: np.ndarray, ledger: Ledger, known: np.ndarray, opinions: Mapping[int, Ledger]) -> np.ndarray:  # noqa: ARG002 - it does not ask who is new
        """(n,) the node's own trust, or 0 for who has most votes against it."""
        rows, _ = ledger.of(ids)
        own = np.where(ids == me, 1.0, self.scores(rows))
        votes, voters = (own >= self.quarantine).astype(np.float64), np.ones(len(ids))
        for rater, said in sorted(opinions.items()):
            theirs, heard = said.of(ids)
            heard = heard & (ids != rater)
            votes += heard & (self.scores(theirs) >= self.quarantine)
            voters += heard
        out = (rows[:, 0] >= self.after) & (votes / voters < MAJORITY) & (ids != me)
        return np.where(out, 0.0, own)
