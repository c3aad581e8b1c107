"""How a federation sees to it that its nodes are there, and what it does without some of them."""

from dataclasses import dataclass
from typing import NamedTuple

from coterie.core.errors import RunError
from coterie.core.ids import NodeId

FLOOR = 3
"""So many intervals may pass in silence in any case."""
FIRST_GAP, FIRST_DEVIATION = 1.0, 0.5
GAIN, DEVIATION_GAIN = 1 / 8, 1 / 4


class GaveUp(RunError):
    """A node has waited as long as it may for others without whom it cannot go on; the rest of the federation perhaps can."""


@dataclass(frozen=True, slots=True)
class Membership:
    """What is wanted of the failure detector, and how long to wait for nodes.

    interval_seconds: how often a node says hello to those it has dealings with.
    patience: after how many usual deviations over the usual gap a silent peer is held to be gone.
    minimum: how many nodes must be there for a round to begin, where each node has a model of its own in its neighbourhood, itself
        included.
    deadline_seconds: how long to wait for that, and for an aggregator that is gone.
    """

    interval_seconds: float = 1.0
    patience: float = 4.0
    minimum: int = 1
    deadline_seconds: float = 60.0


class Pulse(NamedTuple):
    """One peer as the failure detector sees it, in intervals: its silence now, and the mean and mean deviation of its gaps."""

    node: NodeId
    silent: int = 0
    gap: float = FIRST_GAP
    deviation: float = FIRST_DEVIATION

    def bound(self, patience: float) -> float:
        """How long it may be silent."""
        return max(FLOOR, self.gap + patience * self.deviation)

    def next(self, heard: bool, patience: float) -> "Pulse":
        """One interval later; a gap counts for no more than twice what it was held to be dead after, or a crash would teach sloth.

        The mean and the deviation are those of Jacobson 1988, "Congestion avoidance and control", taken for a failure detector as in
        Bertier, Marin and Sens 2002, "Implementation and performance evaluation of an adaptable failure detector".
        """
        if not heard:
            return self._replace(silent=self.silent + 1)
        off = min(self.silent + 1, 2 * self.bound(patience)) - self.gap
        return Pulse(self.node, 0, self.gap + GAIN * off, self.deviation + DEVIATION_GAIN * (abs(off) - self.deviation))
