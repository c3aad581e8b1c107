"""A simulator in which a message travels on a stream from one node to another, which is whole or broken.

What is under way when a stream breaks is lost, and when it is there again its sender says hello and repeats what was not acknowledged.
"""

from typing import Any

from coterie.core import draws
from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.federation.delivery import Ticket
from coterie.federation.messages import Hello, Message
from coterie.federation.node import Node, Refusal
from coterie.simulator.in_force import InForce
from coterie.simulator.injections import Injections
from coterie.simulator.simulator import Simulator
from coterie.simulator.streams import UNHARMED, Stream, fate
from coterie.simulator.trace import BROKEN, CONNECT, MESSAGE


class SimulatorOfStreams(Simulator):
    """What faults do to links and to messages. active: the faults that are there now."""

    def __init__(self, *arguments: Any, injections: Injections, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.injections = injections
        self.active = InForce(injections)
        self.streams: dict[tuple[int, int], Stream] = {}
        self._key = draws.key(injections.seed, "messages")

    def carry(  # noqa: PLR0917 - as it is overridden
        self, node: Node, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...], ticket: Ticket, late_seconds: float = 0.0
    ) -> None:
        """Onto the streams that are whole; what is kept back elsewhere waits in the outbox."""
        for peer in to:
            stream = self.stream(node.id, peer)
            if not stream.up:
                continue
            arrivals = self.carried(node, (peer,), message, beyond)
            arrival = arrivals if isinstance(arrivals, float) else arrivals[0]
            self._under_way(stream, node.id, peer, arrival + late_seconds, (message, beyond, ticket))

    def _under_way(self, stream: Stream, sender: NodeId, receiver: NodeId, arrival: float, what: tuple[Any, ...]) -> None:
        """What faults make of one message on its way."""
        stream.count += 1
        if self.active.meets_messages:
            key = draws.mixed(self._key ^ (sender * self.federation.nodes + receiver)) + (stream.count << 8)
            found = fate(self.injections, self.active.until, key, sender, receiver)
            for name in found.met:
                self.faults_met[name] += 1
                self.recorder.fault(self.now, name, (sender, receiver), self.now)
            if found.breaks:
                self._push(max(arrival, stream.last), BROKEN, sender, receiver, stream.life, what[0] if found.corrupt else None)
                return
        else:
            found = UNHARMED
        stream.last = max(arrival + found.later, stream.last)
        self._push(stream.last + found.overtaken, MESSAGE, (receiver,), sender, *what, None, stream.life)
        if found.again is not None:
            self._push(stream.last + found.again, MESSAGE, (receiver,), sender, *what, None, stream.life)

    def stream(self, sender: int, receiver: int) -> Stream:
        """What `sender` sends to `receiver`."""
        found = self.streams.get((sender, receiver))
        if found is None:
            blocked = self.active.blocks(sender, receiver)
            found = self.streams[sender, receiver] = Stream(up=not blocked, blocked=blocked)
        return found

    def _relink(self) -> None:
        """Break the streams that have just been blocked; the others are there again after a while."""
        for (sender, receiver), stream in self.streams.items():
            before, stream.blocked = stream.blocked, self.active.blocks(sender, receiver)
            if before != stream.blocked:
                self._break(stream, sender, receiver)

    def _break(self, stream: Stream, sender: int, receiver: int) -> None:
        stream.up = False
        stream.life += 1
        if not stream.blocked:
            self._push(self.now + self.injections.reconnect_seconds, CONNECT, sender, receiver, stream.life)

    def _broken(self, sender: NodeId, receiver: NodeId, life: int, corrupt: Message | None) -> None:
        stream = self.streams[sender, receiver]
        if stream.life != life:
            return
        self._say(f"the stream from {sender} to {receiver} breaks")
        if corrupt is not None:
            self.note(self.nodes[receiver], Refusal(sender, corrupt, PeerError("corrupt")))
        self._break(stream, sender, receiver)

    def _connected(self, sender: NodeId, receiver: NodeId, life: int) -> None:
        """As the runtime does when a link is there again: say hello, and repeat what is not acknowledged."""
        stream, node = self.streams[sender, receiver], self.nodes.get(sender)
        if stream.life != life or node is None:
            return
        stream.up, stream.last = True, self.now
        assert node.delivery is not None
        if receiver in node.delivery.links:
            ticket = node.delivery.ticket(node.delivery.link(receiver), 0)
            self.carry(node, (receiver,), Hello(0, node.id, attempt=node.incarnation), (), ticket)
            node.repeat(receiver)

    def _say(self, what: str) -> None:
        if self.trace is not None:
            self.trace(self.now, what)
