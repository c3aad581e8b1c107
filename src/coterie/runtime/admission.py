"""What of a run's messages a host takes in: checks of frames that came whole and from whom they should, before any node sees them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.federation.codec import Frame
from coterie.federation.mailbox import Mailbox
from coterie.federation.messages import ASKING, PROMISE, Message, Model, Notice, Update

UNCOUNTED_BYTES, WAITING_BYTES, WAITING_VECTORS = 64 << 10, 64 << 20, 8
"""Vectors over the first size are counted: one origin may have so many bytes of them waiting, or so many vectors."""


@dataclass(frozen=True)
class Run:
    """What a host has to know of a run to tell what belongs to it from what does not.

    number: sets its messages apart from other runs'. places: the nodes of each place. largest: the most numbers that a vector
    may have. rounds: the last round that a message may be of. sizes: how many numbers the vector of each kind has, where that
    does not depend on its value. staleness_rounds: for how many rounds mailboxes keep messages. newest_only: whether a model takes the
    place of an older one that waits. forwards: whether aggregators hand on updates that come too late for them.
    """

    number: int
    places: tuple[tuple[NodeId, ...], ...]
    largest: int
    rounds: float = float("inf")
    sizes: Mapping[type[Message], int] = field(default_factory=dict)
    staleness_rounds: float = 0
    newest_only: bool = False
    forwards: bool = False

    @property
    def nodes(self) -> int:
        """How many there are."""
        return sum(map(len, self.places))


def check_frame(run: Run, place: int, frame: Frame) -> None:
    """Raises PeerError unless `frame`, which came from `place`, is its own, of this run, for one of its nodes, and of the right shape."""
    message = frame.message
    if frame.sender not in run.places[place]:
        raise PeerError("wrong sender", f"a message as if from node {frame.sender}, over the stream of {run.places[place]}")
    if frame.run != run.number:
        raise PeerError("wrong run", "a message of another run")
    if not frame.beyond or any(node >= run.nodes for node in frame.beyond):
        raise PeerError("wrong receiver", f"a message for nodes {frame.beyond}")
    if message.round > run.rounds:
        raise PeerError("wrong round", f"round {message.round} of {run.rounds}")
    expected = run.sizes.get(message.__class__)
    if isinstance(message, Notice) and frame.vector is not None:
        expected = run.sizes.get(Model) if message.phase == PROMISE else None
        if expected is None and frame.vector.size > run.nodes + 2:
            raise PeerError("wrong shape", f"{message!r} has {frame.vector.size} numbers, and there are {run.nodes} nodes")
    if frame.vector is None:
        if isinstance(message, Update) or (isinstance(message, Model) and message.phase != ASKING):
            raise PeerError("wrong shape", f"{message!r} without a vector")
    elif expected is not None and frame.vector.size != expected:
        raise PeerError("wrong shape", f"{message!r} has {frame.vector.size} numbers, not {expected}")


def check_room(mailbox: Mailbox, message: Message, size: int) -> None:
    """What one origin may have waiting is bounded in bytes as well as in messages; raises PeerError for one too many."""
    if size <= UNCOUNTED_BYTES:
        return
    waiting = [other for other in mailbox.waiting() if other.origin == message.origin and other.payload is not None]
    if len(waiting) * size >= max(WAITING_VECTORS * size, WAITING_BYTES):
        raise PeerError("flood", f"{len(waiting)} vectors of node {message.origin} are waiting already")
