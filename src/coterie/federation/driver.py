"""What a node asks of the driver it runs under."""

from typing import TYPE_CHECKING, Any, Protocol

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.core.jobs import Job
from coterie.federation.delivery import Ticket
from coterie.federation.messages import Message

if TYPE_CHECKING:
    from coterie.federation.node import Node


class Driver(Protocol):
    """All that a driver supplies; none of these may call back into the node before it returns."""

    def transmit(self, node: "Node", to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...], ticket: Ticket) -> None:
        """Carry `message` to the neighbours `to`, telling them of `beyond`."""

    def submit(self, node: "Node", flow: int, token: int, job: Job[Any]) -> None:
        """Do `job`, then `node.answer(flow, token, job.outputs)`."""

    def after(self, node: "Node", seconds: float, flow: int, token: int) -> None:
        """`node.ring(flow, token)` so many seconds from now."""

    def keep(self, node: "Node", state: Any) -> bool | None:
        """A flow of `node` is at a checkpoint: keep what must survive. Answers whether to go on.

        None where it cannot be kept now: the flow waits there, and the driver has it perform its effect again.
        """

    def inspect(self, node: "Node", handle: Any) -> Any:
        """The value of a handle, computed now if need be."""

    def note(self, node: "Node", what: Any) -> None:
        """Write something down: a `Report`, a `Note`, an `Event`, or a `Refusal`."""

    def finished(self, node: "Node", result: Any, problem: BaseException | None) -> None:
        """The node's root flow is over."""


class Refusal:
    """A message that was not taken in."""

    __slots__ = ("message", "problem", "sender")

    def __init__(self, sender: NodeId, message: Message, problem: PeerError) -> None:
        self.sender, self.message, self.problem = sender, message, problem
