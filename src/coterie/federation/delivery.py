"""No message is lost: a durable outbox on one side, acknowledgement after a checkpoint on the other.

Between two neighbours, messages are numbered from 1 within the sender's incarnation. A receiver acknowledges (on
whatever it sends next) the highest number up to which its last checkpoint holds everything. What is not acknowledged
stays in the sender's outbox, which is part of the sender's own checkpoint, and is sent again after a restart of either
side (the incarnation tells) and when a broken connection is back (the driver tells). The identity of a message makes a
repeat harmless.
"""

from collections import deque
from dataclasses import dataclass, field

from coterie.core.ids import NodeId
from coterie.federation.messages import Message

Ticket = tuple[int, int, int, int]
"""(sender's incarnation, number, receiver's incarnation as the sender knows it, acknowledged up to) on one message."""
NO_TICKET: Ticket = (0, 0, 0, 0)

Posted = tuple[int, Message, tuple[NodeId, ...]]


@dataclass(slots=True)
class Link:
    """One neighbour, as the outbox sees it."""

    sent: int = 0
    outbox: deque[Posted] = field(default_factory=deque)
    incarnation: int = 0
    received: int = 0
    ahead: set[int] = field(default_factory=set)
    kept: int = 0
    acknowledged: int = 0


class Delivery:
    """The outbox and the acknowledgements of one node; `incarnation` is persisted before the first send."""

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.links: dict[NodeId, Link] = {}

    def link(self, peer: NodeId) -> Link:
        """The state towards `peer`."""
        found = self.links.get(peer)
        if found is None:
            found = self.links[peer] = Link()
        return found

    def post(self, peer: NodeId, message: Message, beyond: tuple[NodeId, ...]) -> Ticket:
        """Put `message` for `peer` into the outbox; the ticket goes with it."""
        link = self.link(peer)
        link.sent += 1
        link.outbox.append((link.sent, message, beyond))
        return self.ticket(link, link.sent)

    def ticket(self, link: Link, number: int) -> Ticket:
        """The ticket of message `number`, which acknowledges on its way."""
        link.acknowledged = link.kept
        return (self.incarnation, number, link.incarnation, link.kept)

    def arrived(self, peer: NodeId, ticket: Ticket) -> bool:
        """Take note of a message's ticket; False if that very message was here before."""
        incarnation, number, mine, acknowledged = ticket
        link = self.link(peer)
        if incarnation < link.incarnation:
            return False
        if incarnation > link.incarnation:
            link.incarnation, link.received, link.kept, link.acknowledged = incarnation, 0, 0, 0
            link.ahead.clear()
        if mine == self.incarnation:
            while link.outbox and link.outbox[0][0] <= acknowledged:
                link.outbox.popleft()
        if number == 0:
            return True
        if number <= link.received or number in link.ahead:
            return False
        link.ahead.add(number)
        while link.received + 1 in link.ahead:
            link.received += 1
            link.ahead.discard(link.received)
        return True

    def kept(self) -> None:
        """Everything received so far is in a checkpoint now and may be acknowledged."""
        for link in self.links.values():
            link.kept = link.received

    def owed(self) -> list[NodeId]:
        """Neighbours whose messages are kept but who have not been told."""
        return [peer for peer, link in self.links.items() if link.kept > link.acknowledged]

    def repeats(self, peer: NodeId) -> list[tuple[Ticket, Message, tuple[NodeId, ...]]]:
        """What `peer` has not acknowledged, to be sent again."""
        link = self.link(peer)
        return [(self.ticket(link, number), message, beyond) for number, message, beyond in link.outbox]

    def settled(self) -> bool:
        """Whether every message was acknowledged."""
        return not any(link.outbox for link in self.links.values())
