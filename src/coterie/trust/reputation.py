"""Reputation: what a node thinks of others after many rounds, as a number from 0 to 1.

Rule 1: fast down, slow up: a bad round takes away more than a good one gives.
Rule 2: who comes late starts at the bottom, so that a new name is never better than a bad one.
Rule 3: quarantine, not ban: below a bound an update is judged but does not count, and good rounds lead out again.
Rule 4: what others say weighs by what is thought of them, and only if it is not too far from what was seen (see `opinions`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from coterie.aggregation.arrays import block
from coterie.aggregation.gram import BLOCK
from coterie.core.bounds import Count, Probability
from coterie.core.registry import Registry
from coterie.trust.detection import Found
from coterie.trust.ledger import Ledger
from coterie.trust.opinions import heard, table
from coterie.trust.seen import Seen

NEUTRAL = 0.5
"""What is thought of who was there from the beginning, before anything was seen."""
BOTTOM = 0.1
"""Newcomers start no higher than this quantile of those that are known."""


class Evidence:
    """What one round says of n updates, each of another sender; parts are computed when they are asked for.

    found: what stands out. threshold: from which score on it does. lags: (n,) how many rounds each is behind. messages: (n,) how many
    came from its sender. losses_of: (shares (k, n)) → (k,) the losses on the node's own data of the models that such sums make. mine:
    the place of the node's own model, where the updates are models.
    """

    def __init__(
        self,
        seen: Seen,
        found: Found,
        threshold: float,
        *,
        lags: np.ndarray | None = None,
        messages: np.ndarray | None = None,
        losses_of: Callable[[np.ndarray], np.ndarray] | None = None,
        mine: int | None = None,
    ) -> None:
        self.seen, self.found, self.count = seen, found, seen.count
        self.good = np.where(found.scores <= threshold, 1.0, 0.0)
        self.lags = np.zeros(self.count) if lags is None else np.asarray(lags, np.float64)
        self.messages = np.ones(self.count) if messages is None else np.asarray(messages, np.float64)
        self._losses_of, self.mine = losses_of, mine

    @cached_property
    def similarity(self) -> np.ndarray:
        """(n,) the cosine of each update to the median update, 0 where it is negative."""
        found: np.ndarray = np.clip(1 - self.seen.turned, 0.0, 1.0)
        return found

    @cached_property
    def changed(self) -> np.ndarray:
        """(n,) the share of numbers in each update that are not zero; of models, that differ from the node's own."""
        points, found = self.seen.points, np.zeros(self.count)
        own = None if self.mine is None else points.vector(self.mine)
        for first in range(0, points.size, BLOCK):
            some = points.block(first, first + BLOCK)
            found += np.count_nonzero(some if own is None else some - block([own], first, first + BLOCK, some.dtype), axis=1)
        return found / max(1, points.size)

    @cached_property
    def beside_others(self) -> np.ndarray:
        """(n,) the cosine of each update to the sum of all others, 0 where it is negative: leave-one-out without data."""
        points = self.seen.points
        seen = points.gram.seen_from(points.origin)[: self.count, : self.count]
        squares = np.maximum(np.diagonal(seen), 0)
        along = seen.sum(axis=1) - squares
        others = np.sqrt(np.maximum(seen.sum() - 2 * along - squares, 0))
        both = np.sqrt(squares) * others
        found: np.ndarray = np.clip(np.divide(along, both, out=np.zeros(self.count), where=both > 0), 0.0, 1.0)
        return found

    @cached_property
    def left_out(self) -> np.ndarray:
        """(n,) by how much the loss on the node's own data would be higher if the mean were made without each update."""
        if self._losses_of is None:
            raise ValueError("no losses are known: the node has no data of its own")
        count = self.count
        without = (np.ones((count, count)) - np.eye(count)) / max(1, count - 1)
        losses = np.asarray(self._losses_of(np.concatenate([np.full((1, count), 1 / count), without])), np.float64)
        found: np.ndarray = np.nan_to_num(losses[1:] - losses[0], nan=0.0)
        return found


@dataclass(frozen=True)
class Reputation:
    """How rounds become a reputation: a frozen dataclass over this, registered by `reputation`.

    columns: what is kept of each node, numbers from 0 on. needs_losses: whether it asks for losses on the node's own data. needs_opinions:
    whether it can do nothing without what others say.

    quarantine: below it an update does not count. newcomer: where who comes late starts at most. opinions: what the opinions of all
    others weigh beside the node's own, 0 for none. deviation: how far an opinion may be from what the node has seen itself. links: where
    nodes mix models, how many neighbours are taken in, those of the best reputation; by default all that are not in quarantine.
    asked_every: who is in quarantine is asked to take part only every so many rounds.
    """

    columns: ClassVar[tuple[str, ...]] = ("score",)
    needs_losses: ClassVar[bool] = False
    needs_opinions: ClassVar[bool] = False

    quarantine: Probability = 0.4
    newcomer: Probability = 0.2
    opinions: Probability = 0.0
    deviation: Probability = 0.3
    links: Count | None = None
    asked_every: Count = 1

    def began(self, score: float) -> np.ndarray:
        """(w,) the row of a node of which nothing was seen, and which starts at `score`."""
        return np.array([score])

    def observed(self, rows: np.ndarray, evidence: Evidence) -> np.ndarray:
        """(n, w) the rows (n, w) of the senders after another round."""
        raise NotImplementedError

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """(k,) the reputation that rows (k, w) come to, each in [0, 1]."""
        found: np.ndarray = rows[:, 0]
        return found

    def judged(self, me: int, ids: np.ndarray, ledger: Ledger, known: np.ndarray, opinions: Mapping[int, Ledger]) -> np.ndarray:
        """(n,) what the node `me` thinks of `ids` (n,), all in its `ledger` but itself, after the `opinions` of others, by rater.

        known: (n,) whether it had heard of them before.
        """
        own = np.where(ids == me, 1.0, self.scores(ledger.of(ids)[0]))
        raters = {rater: said for rater, said in sorted(opinions.items()) if rater != me and len(said.ids)}
        if not raters or not self.opinions:
            return own
        said = table(
            ids, {rater: dict(zip(one.ids.tolist(), self.scores(one.rows).tolist(), strict=True)) for rater, one in raters.items()}
        )
        rows, heard_of = ledger.of(np.array(list(raters)))
        weights = np.where(heard_of, self.scores(rows), 0.0)
        weights[weights < self.quarantine] = 0.0
        found = heard(own, known, said, weights, weight=self.opinions, deviation=self.deviation)
        return np.where(ids == me, 1.0, found)


def slowly_up(before: np.ndarray, now: np.ndarray, rise: float, fall: float) -> np.ndarray:
    """(n,) moved from `before` towards `now`: by the share `rise` upwards, `fall` downwards."""
    found: np.ndarray = before + np.where(now > before, rise, fall) * (now - before)
    return found


def start(known: np.ndarray, newcomer: float) -> float:
    """Where a newcomer starts among those with reputations `known` (k,): no higher than `newcomer`, nor than their lowest tenth."""
    return newcomer if not len(known) else float(min(newcomer, np.quantile(known, BOTTOM)))


REPUTATIONS: Registry[type[Reputation]] = Registry("reputation", home="coterie.trust.reputations")
reputation = REPUTATIONS.register
