"""When a round may close."""

from dataclasses import dataclass

FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One set of numbers for all communication schemes.

    quorum: the share of the expected messages after which a round may close; ∞ means all of them (synchronous).
    grace_seconds: how long it stays open once the quorum is there.
    deadline_seconds: when it closes in any case, with what has come.
    staleness_rounds: how many rounds a message may be behind its receiver and still be taken in; 0 in synchronous rounds.
    """

    quorum: float = FOREVER
    grace_seconds: float = 0.0
    deadline_seconds: float = FOREVER
    staleness_rounds: float = 0

    def need(self, expected: int) -> float:
        """How many of `expected` messages make the quorum."""
        return FOREVER if self.quorum == FOREVER else max(1, int(-(-self.quorum * expected // 1)))


SYNCHRONOUS = Schedule()
