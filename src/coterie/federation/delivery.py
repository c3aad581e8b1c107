"""No message is lost: a durable outbox on one side, acknowledgement after a checkpoint on the other.

Between two neighbours, messages are numbered from 1 within the sender's incarnation. A receiver acknowledges (on
whatever it sends next) the highest number up to which its last checkpoint holds everything. What is not acknowledged
stays in the sender's outbox, which is part of the sender's own checkpoint, and is sent again after a restart of either
side (the incarnation tells) and when a broken connection is back (the driver tells). The identity of a message makes a
repeat harmless. For a neighbour that is held to be gone only the newest message of each kind is kept; and who comes back and
acknowledges less than before has lost its disk, and is sent the newest of each kind once more.
"""

from collections import deque
from dataclasses import dataclass, field

from coterie.core.ids import NodeId
from coterie.federation.messages import Hello, Message, Update

Ticket = tuple[int, int, int, int]
"""(sender's incarnation, number, receiver's incarnation as the sender knows it, acknowledged up to) on one message."""
NO_TICKET: Ticket = (0, 0, 0, 0)

Kind = tuple[int, int, NodeId, tuple[NodeId, ...]]
Posted = tuple[int, Message, tuple[NodeId, ...]]


@dataclass(slots=True)
class Link:
    """One neighbour, as the outbox sees it. confirmed: how much it has acknowledged. since: the life in which our memory of it began.

    newest: the last message of each kind that it was sent.
    """

    sent: int = 0
    outbox: deque[Posted] = field(default_factory=deque)
    incarnation: int = 0
    received: int = 0
    ahead: set[int] = field(default_factory=set)
    kept: int = 0
    acknowledged: int = 0
    confirmed: int = 0
    since: int = 0
    newest: dict[Kind, tuple[Message, tuple[NodeId, ...]]] = field(default_factory=dict)

    def remember(self, message: Message, beyond: tuple[NodeId, ...]) -> None:
        """It is the newest of its kind that the neighbour was sent."""
        self.newest[_kind(message, beyond)] = (message, beyond)


class Delivery:
    """The outbox and the acknowledgements of one node; `incarnation` is persisted before the first send."""

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.links: dict[NodeId, Link] = {}

    def link(self, peer: NodeId) -> Link:
        """The state towards `peer`."""
        found = self.links.get(peer)
        if found is None:
            found = self.links[peer] = Link(since=self.incarnation)
        return found

    def post(self, peer: NodeId, message: Message, beyond: tuple[NodeId, ...], *, newest_only: bool = False) -> Ticket:
        """Put `message` for `peer` into the outbox; the ticket goes with it. newest_only: in place of those of its kind in there."""
        link = self.link(peer)
        link.sent += 1
        if newest_only:
            kind = _kind(message, beyond)
            link.outbox = deque((number, _filler(old) if _kind(old, to) == kind else old, to) for number, old, to in link.outbox)
        link.remember(message, beyond)
        link.outbox.append((link.sent, message, beyond))
        return self.ticket(link, link.sent)

    def ticket(self, link: Link, number: int) -> Ticket:
        """The ticket of message `number`, which acknowledges on its way."""
        link.acknowledged = link.kept
        return (self.incarnation, number, link.incarnation, link.kept)

    def arrived(self, peer: NodeId, ticket: Ticket) -> bool:
        """Take note of a message's ticket; False if that very message was here before, or was numbered for a life we know nothing of."""
        incarnation, number, mine, acknowledged = ticket
        link = self.link(peer)
        if incarnation < link.incarnation or (number and 0 < mine < link.since):
            return False
        if incarnation > link.incarnation:
            link.incarnation, link.received, link.kept, link.acknowledged = incarnation, 0, 0, 0
            link.ahead.clear()
            if link.confirmed > (acknowledged if mine == self.incarnation else 0):
                self._start_over(peer, link)
        if mine == self.incarnation:
            link.confirmed = max(link.confirmed, acknowledged)
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

    def _start_over(self, peer: NodeId, link: Link) -> None:
        """`peer` has lost all that it was sent: number anew what is in the outbox, before it the newest of each kind that it had kept."""
        waiting = {(message.identity, to) for _, message, to in link.outbox}
        again = [(message, beyond) for message, beyond in link.newest.values() if (message.identity, beyond) not in waiting]
        again += [(message, beyond) for _, message, beyond in link.outbox if message.__class__ is not Hello]
        link.outbox.clear()
        link.sent = link.confirmed = 0
        for message, beyond in again:
            self.post(peer, message, beyond)

    def kept(self) -> None:
        """Everything received so far is in a checkpoint now and may be acknowledged."""
        for link in self.links.values():
            link.kept = link.received

    def outdate(self, number: int) -> None:
        """A model of round `number` is here, and late updates count: earlier ones may be in it, and are sent to nobody anew."""
        for link in self.links.values():
            for kind, (message, _) in list(link.newest.items()):
                if message.__class__ is Update and message.round < number:
                    del link.newest[kind]

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


def _kind(message: Message, beyond: tuple[NodeId, ...]) -> Kind:
    """Of messages alike in this, a newer one makes an older one needless to who was away."""
    return (message.code, message.phase, message.origin, beyond)


def _filler(message: Message) -> Message:
    """What takes the place of a message that is needed no more: numbers must have no gaps."""
    return Hello(message.round, message.origin)
