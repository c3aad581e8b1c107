"""Who was busy when: what a run spends, and stretches of time for a picture of it."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.ids import NodeId
from coterie.core.jobs import Job
from coterie.federation.messages import Message
from coterie.scenario.setup import Setup

MOST_WATCHED = 64
MOST_STRETCHES = 20_000
"""So many stretches are told of, from the beginning of the run."""
Stretch = Callable[[str, int, int, float, float], None]
"""(what: train, send; node; round; from; until)."""


class Timeline:
    """Counts updates, messages and bytes, adds up who trained for how long, and tells of single stretches of `watched` nodes.

    training: seconds of training of each node that trained. waits: by round, [trainings, their ends summed, the last end].
    """

    def __init__(self, *, watched: Iterable[int] = (), stretch: Stretch | None = None) -> None:
        self.updates = self.messages = self.bytes = 0
        self.training: dict[int, float] = {}
        self.waited_seconds = self.unavailable_seconds = 0.0
        self._rounds: dict[int, list[float]] = {}
        self._watched, self._stretch, self._told = frozenset(map(int, watched)), stretch, 0

    def worked(self, job: Job[Any], asked: float, begin: float, end: float) -> None:
        """A job that was asked for runs from `begin` to `end`."""
        if job.function != "train":
            return
        node = job.node
        self.updates += 1
        self.training[node] = self.training.get(node, 0.0) + end - begin
        self.unavailable_seconds += begin - asked
        row = self._rounds.get(job.round)
        if row is None:
            row = self._rounds[job.round] = [0, 0.0, 0.0]
        row[0] += 1
        row[1] += end
        row[2] = max(row[2], end)
        if node in self._watched:
            self._tell("train", node, job.round, begin, end)

    def sent(self, now: float, sender: NodeId, count: int, message: Message, size_bytes: int, *, left: float) -> None:
        """A message goes to so many nodes; the last byte leaves its sender at `left`."""
        self.messages += count
        self.bytes += count * size_bytes
        if sender in self._watched and message.payload is not None:
            self._tell("send", sender, message.round, now, left)

    def _tell(self, what: str, node: int, round: int, begin: float, end: float) -> None:
        if self._stretch is not None and self._told < MOST_STRETCHES:
            self._told += 1
            self._stretch(what, node, round, begin, end)

    def round_done(self, round: int) -> None:
        """Nobody is in this round any more: how long its trainers waited for the last of them is known."""
        row = self._rounds.pop(round, None)
        if row is not None:
            self.waited_seconds += row[0] * row[2] - row[1]

    def saved(self) -> list[Any]:
        """What `restored` needs."""
        counts = [self.updates, self.messages, self.bytes, self.waited_seconds, self.unavailable_seconds, self._told]
        return [counts, list(self.training.items()), list(self._rounds.items())]

    def restored(self, saved: list[Any]) -> None:
        """Become what `saved` said."""
        counts, training, rounds = saved
        self.updates, self.messages, self.bytes, self.waited_seconds, self.unavailable_seconds, self._told = counts
        self.training, self._rounds = dict(training), {round: list(row) for round, row in rounds}


def watched(setup: Setup) -> NDArray[np.int64]:
    """The nodes whose stretches a run's folder tells of: all of few; of many some that aggregate first, and an even choice."""
    if setup.nodes <= MOST_WATCHED:
        return np.arange(setup.nodes)
    aggregators = setup.planner.table(0).aggregators[: MOST_WATCHED // 8]
    evenly = np.linspace(0, setup.nodes - 1, MOST_WATCHED - len(aggregators)).astype(np.int64)
    return np.union1d(aggregators, evenly)
