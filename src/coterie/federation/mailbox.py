"""What has arrived at a node and nobody has taken yet.

Refuses, with a word that is counted, what must not be aggregated: stale rounds, duplicates, strangers, an old term and
floods. A peer that claims to be far ahead is bounded by how many messages of one kind it may have waiting.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.federation.messages import Goodbye, Identity, Message

WAITING_LIMIT = 256
"""Messages of one kind that one origin may have waiting; a synchronous peer has at most a few."""


class Mailbox:
    """Messages by kind, in arrival order, and the identities of those that were seen in rounds that still count.

    floor: what is of an earlier round is stale. stamp: the term of the node's view; what is of an earlier one is refused. term: more than
    that while the node has promised its voice in a view to come; then nothing is given out.
    """

    __slots__ = ("_counts", "_later", "_seen", "_waiting", "floor", "nodes", "stamp", "term")

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.floor: float = 0
        self.term = self.stamp = 0
        self._later: list[Message] = []
        self._waiting: dict[type[Message], list[Message]] = {}
        self._counts: dict[type[Message], Counter[NodeId]] = {}  # of kinds of which so many wait that one origin's may be too many
        self._seen: set[Identity] = set()

    def put(self, message: Message) -> bool:
        """Take `message` in, or raise PeerError saying why not; False where it is for a view that is not ours yet."""
        if not 0 <= message.origin < self.nodes:
            raise PeerError("stranger", f"there is no node {message.origin}")
        kind = message.__class__
        if kind.ages:
            if not message.term == self.stamp == self.term:
                self._set_aside(message)
                return False
            if message.round < self.floor:
                raise PeerError("stale", f"round {message.round}, now {self.floor}")
            seen = self._seen
            before = len(seen)
            seen.add(message.identity)
            if len(seen) == before:
                raise PeerError("duplicate", repr(message))
        waiting = self._waiting.get(kind)
        if waiting is None:
            self._waiting[kind] = [message]
            return True
        if len(waiting) >= WAITING_LIMIT:
            self._count(kind, message.origin)
        waiting.append(message)
        return True

    def _set_aside(self, message: Message) -> None:
        """It is for a view to come; or of the present one, which it is not sure that the node goes on in. Raises PeerError otherwise."""
        if message.term < self.stamp:
            raise PeerError("old term", f"term {message.term}, now {self.stamp}")
        if sum(other.origin == message.origin for other in self._later) >= WAITING_LIMIT:
            raise PeerError("flood", f"{WAITING_LIMIT} messages of node {message.origin} wait for another view")
        self._later.append(message)

    def promise(self, term: int) -> tuple[list[Message], list[Message]]:
        """Give nothing out that is of a term before `term`: answers what goes from what waits, and what is to be taken in anew.

        The latter where the node gives up a claim of its own, and so goes back to the term of its view.
        """
        term, before = max(term, self.stamp), self.term
        self.term = term
        if term < before:
            again, self._later = self._later, []
            return [], again
        gone: list[Message] = []
        for kind, waiting in self._waiting.items() if term > before else ():
            if kind.ages:
                gone += [message for message in waiting if message.term < term]
                self._keep(kind, [message for message in waiting if message.term >= term])
        for message in gone:
            self.forget(message)
        self._later += gone
        return gone, []

    def begin_term(self, term: int, floor: float) -> None:
        """Be in a view of `term`, with rounds from `floor` on: what belongs to earlier terms goes, what came too early is there."""
        if term <= self.stamp:
            return
        self.stamp, self.term, self.floor = term, term, floor
        for kind, waiting in self._waiting.items():
            self._keep(kind, [message for message in waiting if message.__class__ is not Goodbye and not kind.ages])
        self._seen.clear()
        early, self._later = self._later, []
        for message in early:
            with suppress(PeerError):
                self.put(message)

    def _count(self, kind: type[Message], origin: NodeId) -> None:
        counts = self._counts.get(kind)
        if counts is None:
            counts = self._counts[kind] = Counter(message.origin for message in self._waiting[kind])
        if counts[origin] >= WAITING_LIMIT:
            raise PeerError("flood", f"{WAITING_LIMIT} messages of node {origin} are waiting already")
        counts[origin] += 1

    def forget(self, message: Message) -> None:
        """If `message` comes again, it is none that was here before."""
        self._seen.discard(message.identity)

    def supersede(self, message: Message) -> Message | None:
        """Remove and give what waits of an earlier round of the same kind, phase and origin as `message`, if anything does."""
        for known in self._waiting.get(message.__class__, ()):
            if known.origin == message.origin and known.phase == message.phase and known.round < message.round:
                self.take([known])
                return known
        return None

    def of(self, kind: type[Message]) -> Sequence[Message]:
        """The messages of a kind that wait, in arrival order."""
        return self._waiting.get(kind, ())

    def take(self, messages: Sequence[Message]) -> None:
        """Remove `messages`, all of one kind, which are waiting here."""
        if not messages:
            return
        kind = messages[0].__class__
        waiting = self._waiting[kind]
        if len(messages) == len(waiting):
            self._keep(kind, [])
            return
        gone = {id(message) for message in messages}
        self._keep(kind, [message for message in waiting if id(message) not in gone])

    def raise_floor(self, floor: float) -> None:
        """From now on rounds below `floor` are stale; what waits of them is dropped."""
        if floor <= self.floor:
            return
        self.floor = floor
        if self._seen:
            self._seen = {identity for identity in self._seen if identity[1] >= floor}
        for kind, waiting in self._waiting.items():
            if waiting and kind.ages:
                self._keep(kind, [message for message in waiting if message.round >= floor])

    def _keep(self, kind: type[Message], waiting: list[Message]) -> None:
        self._waiting[kind] = waiting
        self._counts.pop(kind, None)

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        waiting = self._waiting
        return not waiting or not any(waiting.values())

    def waiting(self) -> list[Message]:
        """All that waits, by kind and in arrival order."""
        return [message for messages in self._waiting.values() for message in messages]

    def seen(self) -> list[Identity]:
        """The identities that count as seen, sorted."""
        return sorted(self._seen)

    def saved(self) -> list[Any]:
        """What `restored` needs."""
        return [self.floor, self.term, self.stamp, self.waiting(), [tuple(identity) for identity in self.seen()], list(self._later)]

    def restored(self, saved: list[Any]) -> None:
        """Become what `saved` said."""
        self.floor, self.term, self.stamp, waiting, seen, later = saved
        self._later = list(later)
        for message in waiting:
            self._waiting.setdefault(message.__class__, []).append(message)
        self._seen.update(seen)


def in_order(messages: Iterable[Message]) -> list[Message]:
    """By (origin, round, attempt): never by arrival."""
    return sorted(messages, key=_ORDER)


_ORDER = attrgetter("origin", "round", "attempt")
