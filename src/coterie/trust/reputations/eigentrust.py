"""EigenTrust: what all think of all, weighed by what all think of them, from peers that are trusted beforehand.

Kamvar, Schlosser, Garcia-Molina 2003, "The EigenTrust Algorithm for Reputation Management in P2P Networks", WWW, algorithm 2:
t ← (1 - a) Cᵀ t + a p. Local trust is that of `beta`: what was good less what was bad, 0 where that is negative.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from coterie.core.bounds import Natural, Probability
from coterie.trust.ledger import Ledger
from coterie.trust.reputation import reputation
from coterie.trust.reputations.beta import Beta

STEPS = 200
CLOSE = 1e-9


@reputation("eigentrust")
@dataclass(frozen=True)
class EigenTrust(Beta):
    """The trust that flows to each node from sources, as a share of the most that flows to any other.

    pretrusted: the sources, by default the node itself. share: how much of all trust starts anew from them in every step; a clique that
    only trusts itself gets none.
    """

    needs_opinions: ClassVar[bool] = True

    quarantine: Probability = 0.1
    opinions: Probability = 1.0
    share: Probability = 0.15
    pretrusted: tuple[Natural, ...] = ()

    def judged(self, me: int, ids: np.ndarray, ledger: Ledger, known: np.ndarray, opinions: Mapping[int, Ledger]) -> np.ndarray:  # noqa: ARG002 - it does not ask who is new
        """(n,) the trust that flows to `ids` (n,)."""
        said = {**opinions, me: ledger}
        every = np.unique(np.concatenate([ids, self.pretrusted, list(said), *(one.ids for one in said.values())]).astype(np.int64))
        local = np.zeros((len(every), len(every)))
        for rater, one in said.items():
            net = np.where(one.ids == rater, 0.0, np.maximum(one.rows[:, 0] - one.rows[:, 1], 0.0))
            local[np.searchsorted(every, rater), np.searchsorted(every, one.ids)] = net
        sources = np.searchsorted(every, self.pretrusted or (me,))
        found = trusted(local, sources.tolist(), self.share)[np.searchsorted(every, ids)]
        return np.where(ids == me, 1.0, found)


def trusted(local: np.ndarray, pretrusted: list[int], share: float) -> np.ndarray:
    """(n,) global trust from `local` trust (n, n) of row in column, as a share of the most that any has that is not pre-trusted."""
    sources = np.zeros(len(local))
    sources[pretrusted] = 1 / len(pretrusted)
    sums = local.sum(axis=1, keepdims=True)
    flows = np.where(sums > 0, np.divide(local, sums, out=np.zeros_like(local), where=sums > 0), sources)
    found = sources
    for _ in range(STEPS):
        after = (1 - share) * flows.T @ found + share * sources
        found, before = after, found
        if np.abs(found - before).sum() < CLOSE:
            break
    others = np.delete(found, pretrusted)
    most = others.max(initial=0.0)
    scaled: np.ndarray = np.minimum(1.0, found / most) if most > 0 else (sources > 0).astype(np.float64)
    scaled[pretrusted] = 1.0
    return scaled
