"""What participants say to each other.

A message is identified by (kind, round, phase, origin, attempt): a repeat with the same identity is a duplicate and is
dropped. It travels from its origin, perhaps through proxies, to its destinations; `sender` in this package always means
the neighbour that handed it over, `origin` the participant that made it.
"""

from typing import ClassVar

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle

UPDATES, EXCHANGE, TURN, LAST, ASKING, ANSWER, OWN, BEAT, NEWEST, BEHIND, TROUBLE, CLAIM, PROMISE, VIEW = range(14)
"""Phases of a round: updates go from trainers to aggregators, then models between aggregators.

Where there are no common rounds, a phase tells apart what one kind of message is for: the model for who aggregates next (TURN), the
last one of all (LAST), one that asks for another in return (ASKING) and that other (ANSWER), and what a node's own training has made
of one (OWN). A hello may be a heartbeat (BEAT), and a model for somebody who has said that it has fallen behind
(NEWEST, BEHIND). The others are about who aggregates when somebody has gone; see `federation.succession`.
"""
PHASES = ("", "exchange", "turn", "last", "asking", "answer", "own", "beat", "newest", "behind", "trouble", "claim", "promise", "view")


Identity = tuple[int, int, int, int, int]


class Message:
    """What every message has.

    round: the round it belongs to; a `Model` of round r is the model that round r starts from.
    origin: who made it.
    payload: the handle of one flat vector, or None.
    weight: an integer the origin claims for it (its number of samples), capped by whoever uses it.
    phase, attempt: tell the messages of one origin and round apart.
    term: the view its origin acted in, stamped when it is sent.
    """

    __slots__ = ("_identity", "attempt", "origin", "payload", "phase", "round", "term", "weight")
    code: ClassVar[int] = 0
    ages: ClassVar[bool] = True
    """Whether it can be too old: what only passes through, or ends a node's part, cannot."""
    once: ClassVar[bool] = False
    """Whether its origin has one for a round and phase: a second one is a repeat."""

    def __init__(
        self, round: int, origin: NodeId, payload: Handle | None = None, *, weight: int = 0, phase: int = UPDATES, attempt: int = 0
    ) -> None:
        self.round, self.origin, self.payload = round, origin, payload
        self.weight, self.phase, self.attempt, self.term = weight, phase, attempt, 0
        self._identity: Identity | None = None

    @property
    def identity(self) -> Identity:
        """What makes it itself: (kind, round, phase, origin, attempt); where there is one a round, whatever attempt it claims to be."""
        if self._identity is None:  # many nodes may be given it
            self._identity = (self.code, self.round, self.phase, self.origin, 0 if self.once else self.attempt)
        return self._identity

    def __repr__(self) -> str:
        phase = f", {PHASES[self.phase]}" if 0 < self.phase < len(PHASES) else ""
        return f"{type(self).__name__}(round {self.round}, of {self.origin}{phase})"


class Update(Message):
    """A trainer's result, for its aggregator; `weight` is the number of samples it was trained on."""

    __slots__ = ()
    code = 1
    once = True


class Model(Message):
    """A published model (phase UPDATES), or an aggregator's own for its fellow aggregators (phase EXCHANGE)."""

    __slots__ = ()
    code = 2
    once = True


class ServerState(Message):
    """What an aggregator hands to its successor besides the model: the algorithm's server state."""

    __slots__ = ()
    code = 3


class RuleState(Message):
    """The aggregation rule's own memory, handed over likewise."""

    __slots__ = ()
    code = 4


class Goodbye(Message):
    """The origin has finished and will send no more; nobody need wait for it."""

    __slots__ = ()
    code = 5
    ages = False


class Hello(Message):
    """Says nothing but what its ticket says: who its sender is in this life, and what it acknowledges.

    As a heartbeat (BEAT) it also says in which round its origin is. Nobody acknowledges it, and it is never repeated.
    """

    __slots__ = ()
    code = 6


class Text(Message):
    """A number (`weight`) sent for its own sake: probes and tests."""

    __slots__ = ()
    code = 7


class Asked(Message):
    """Handed over by an asynchronous aggregator to its successor: whom it has asked for updates, and the round of the model each was given.

    The vector is node, round, node, round, …: whole numbers below 2²⁴, which float32 holds.
    """

    __slots__ = ()
    code = 9


class Notice(Message):
    """What nodes say to each other about who is there, and what they need of each other for it."""

    __slots__ = ()
    code = 10
    ages = False


class Parcel(Message):
    """A message on its way through a proxy: `content` still has to reach `to`."""

    __slots__ = ("content", "to")
    code = 8
    ages = False

    def __init__(self, content: Message, to: tuple[NodeId, ...]) -> None:
        super().__init__(content.round, content.origin, content.payload)
        self.content, self.to = content, to
        self.term = content.term


KINDS: dict[int, type[Message]] = {kind.code: kind for kind in (Update, Model, ServerState, RuleState, Goodbye, Hello, Text, Asked, Notice)}
"""Every kind that may stand on the wire, by its code."""
