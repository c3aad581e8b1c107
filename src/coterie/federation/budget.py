"""When a run is over: after so many rounds, seconds, updates or bytes, at a target, or when it no longer gets better.

Rounds that have begun are carried to their end. What is spent is looked at whenever a node begins a round.
A budget that looks at a metric is judged on the mean over the nodes that made a model of the round, as soon as all of
them have reported; the run then ends with the first round that no node has gone beyond.
"""

import math
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Target:
    """Stop once `metric` has reached `value` (risen to it, or, where `falling`, fallen to it)."""

    metric: str
    value: float
    falling: bool = False


@dataclass(frozen=True, slots=True)
class Converged:
    """Stop once `metric` has not improved by more than `tolerance` for `patience` evaluations."""

    metric: str
    patience: int
    tolerance: float
    falling: bool = False


@dataclass
class Budget:
    """The bounds of one run, and what has been seen of it. Seconds are those of the driver's clock, updates local trainings.

    together: whether nodes go through rounds together and all are carried to the end of the last that began; otherwise each node
    stops at its own next round.
    """

    rounds: int
    target: Target | None = None
    converged: Converged | None = None
    seconds: float = math.inf
    updates: float = math.inf
    bytes: float = math.inf
    together: bool = True
    started: int = 0
    reason: str = ""
    _best: float | None = None
    _since_best: int = 0

    @cached_property
    def metrics(self) -> frozenset[str]:
        """The metrics it looks at; while there are any, every round's evaluation is a barrier."""
        return frozenset(rule.metric for rule in (self.target, self.converged) if rule is not None)

    @cached_property
    def bounded(self) -> bool:
        """Whether anything but rounds is bounded, and so may be spent."""
        return min(self.seconds, self.updates, self.bytes) < math.inf

    def go_on(self, round: int, *, begins: bool) -> bool:
        """Whether a node is to go on at the head of `round`; `begins` if it holds the round's model and so acts at once."""
        if round >= self.rounds or (self.reason and not self.together):
            return False
        if begins and round > self.started:
            self.started = round
        return True

    def spend(self, seconds: float, updates: int, bytes: int) -> None:
        """So much has been spent up to now; once it is enough, no further round begins."""
        if self.started + 1 >= self.rounds or (seconds < self.seconds and updates < self.updates and bytes < self.bytes):
            return  # the last round has begun, or there is something left
        spent = [("virtual seconds", seconds, self.seconds), ("updates", updates, self.updates), ("bytes", bytes, self.bytes)]
        what, limit = next((what, limit) for what, found, limit in spent if found >= limit)
        self._stop(0, f"{limit:,.10g} {what} are spent")

    def observe(self, round: int, metric: str, mean: float) -> None:
        """The mean of `metric` over the nodes, for the model of `round`; called in order of round."""
        if self.reason:
            return
        if self.target is not None and metric == self.target.metric and _reached(mean, self.target):
            self._stop(round, f"{metric} reached {self.target.value:g} ({mean:.4g}) after round {round}")
        if self.converged is not None and metric == self.converged.metric and self._stale(mean, self.converged):
            self._stop(round, f"{metric} has not improved for {self.converged.patience} evaluations, after round {round}")

    def _stop(self, round: int, reason: str) -> None:
        self.reason = self.reason or reason
        self.rounds = min(self.rounds, max(round, self.started + 1))

    def _stale(self, mean: float, rule: Converged) -> bool:
        score = -mean if rule.falling else mean
        if self._best is None or score > self._best + rule.tolerance:
            self._best, self._since_best = score, 0
        else:
            self._since_best += 1
        return self._since_best >= rule.patience

    def saved(self) -> list[object]:
        """What `restored` needs."""
        return [self.rounds, self.started, self.reason, self._best, self._since_best]

    def restored(self, saved: list[object]) -> None:
        """Become what `saved` said."""
        self.rounds, self.started, self.reason, self._best, self._since_best = saved  # type: ignore[assignment]


def _reached(mean: float, target: Target) -> bool:
    return mean <= target.value if target.falling else mean >= target.value
