"""Who is trainer, aggregator, proxy or idle in which round.

A role is given to fixed nodes, or to some of a set of candidates that change from round to round: in turn
(`round-robin`) or by a public draw (`random`). The architectures are presets over this.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coterie.core import draws

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class RoleRule:
    """Candidates for one role, and which of them hold it in a round.

    candidates: sorted node ids, shape (c,).
    count: how many hold it at a time; None means all candidates.
    order: "round-robin" or "random" when `count` is given; a fixed role has all its candidates hold it.
    """

    candidates: Ids
    count: int | None = None
    order: str = "round-robin"

    @property
    def rotates(self) -> bool:
        """Whether the holders change from round to round."""
        return self.count is not None and self.count < len(self.candidates)

    @property
    def at_a_time(self) -> int:
        """How many hold it in a round."""
        return len(self.candidates) if self.count is None else min(self.count, len(self.candidates))

    def at(self, number: int, seed: int, purpose: str, absent: Collection[int] = ()) -> Ids:
        """The holders in round `number`, sorted, shape (k,)."""
        present = self.candidates[~np.isin(self.candidates, list(absent))] if absent else self.candidates
        if self.count is None or self.count >= len(present):
            return present
        if self.order == "random":
            chosen = draws.public(seed, purpose, number).choice(len(present), self.count, replace=False)
        else:
            chosen = (number * self.count + np.arange(self.count)) % len(present)
        return np.sort(present[chosen])


NOBODY = RoleRule(np.empty(0, np.int64))


@dataclass(frozen=True)
class Roles:
    """The rules of all four roles. Idle nodes rest: they hold no other role in that round.

    coupled: a decentralized federation, in which every node keeps a model of its own, and one that is not selected to
    train in a round rests altogether.
    """

    trainer: RoleRule
    aggregator: RoleRule
    proxy: RoleRule = NOBODY
    idle: RoleRule = NOBODY
    coupled: bool = False

    @property
    def rotates(self) -> bool:
        """Whether anything changes from round to round (participation apart)."""
        return any(rule.rotates for rule in (self.trainer, self.aggregator, self.proxy, self.idle))
