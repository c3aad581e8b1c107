"""What a simulator tells of."""

from typing import Any, Protocol

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.messages import Message
from coterie.federation.node import Refusal


class Recorder(Protocol):
    """Who writes down what happens; `simulator.record` has the one that keeps it."""

    def sent(self, time: float, sender: NodeId, to: tuple[NodeId, ...], message: Message, size: int) -> None:
        """A message of `size` bytes goes to each of `to`."""

    def reported(self, time: float, node: NodeId, round: int, facts: Handle) -> None:
        """Facts of a node about a round; their value is there by the next `computed`."""

    def refused(self, time: float, node: NodeId, refusal: Refusal) -> None:
        """A node did not take a message in."""

    def round_done(self, time: float, round: int) -> None:
        """Nobody is in this round, or before it, any more."""

    def issued(self, job: Job[Any]) -> None:
        """A job was asked for."""

    def computed(self) -> None:
        """All facts reported so far have values."""

    def happened(self, time: float, node: NodeId, what: str, detail: str) -> None:
        """Something happened at a node that people may want to know of."""

    def fault(self, time: float, name: str, nodes: tuple[int, ...], until: float) -> None:
        """A fault concerns `nodes` (for one of messages: sender, receiver) until then."""
