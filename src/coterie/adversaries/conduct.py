"""What an attacker on the protocol does: with the training it should do, and with the messages it should send."""

from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

from coterie.attacks.attack import ATTACKS
from coterie.core.errors import ScenarioError, nearest
from coterie.core.jobs import Handle, Job
from coterie.core.registry import Entry, Registry
from coterie.federation.messages import ANSWER, ASKING, EXCHANGE, Message, Model, Update
from coterie.learning.jobs import Trained


class Sent(NamedTuple):
    """A message on its way, so much later than it would be."""

    message: Message
    late_seconds: float = 0.0


class Occasion(Protocol):
    """What an attacker can look back on.

    luck: a number in [0, 1), a draw of this message on this link (or of this node).
    """

    luck: float

    def before(self) -> Handle | None:
        """The published vector that its last training but this one began from."""

    def earlier(self, message: Message, rounds: int) -> Message | None:
        """What it sent of that kind and phase so many of its messages ago."""


class Conduct:
    """How an attacker behaves; as it stands, like everybody. Attacks are frozen dataclasses over it.

    on_links: whether it is an outsider on a link between two nodes, who sees all messages there, and no member at all.
    silent: whether messages are lost, so that others wait for them.
    remembers: how many of its own messages of a kind it has to keep.
    """

    on_links: ClassVar[bool] = False

    @property
    def silent(self) -> bool:
        """Whether others may wait for something that does not come."""
        return False

    @property
    def remembers(self) -> int:
        """How many of its messages of a kind it looks back on."""
        return 0

    def trains(self, job: Job[Trained], occasion: Occasion) -> Job[Trained]:  # noqa: ARG002
        """What it does in place of the training `job`."""
        return job

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:  # noqa: ARG002
        """What it sends in place of a contribution of its own, or what comes out of a link."""
        yield Sent(message)


class Registered(Registry[Any]):
    """All attacks that a scenario may name: those on data and updates, and those on the protocol."""

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted([*ATTACKS.names(), *super().names()])

    def entry(self, name: str, place: str = "") -> Entry[Any]:
        """The attack called `name`; raises ScenarioError with the nearest known name."""
        if name in ATTACKS.names():
            return ATTACKS.entry(name, place)
        if name in super().names():
            return super().entry(name, place)
        raise ScenarioError.at(place, f"there is no attack called {name!r}", nearest(name, self.names()))


EVERY: Registered = Registered("attack", home="coterie.adversaries")
conduct: Callable[[str], Callable[[Any], Any]] = EVERY.register
"""Decorator, with a name: register a protocol attack, a frozen dataclass over `Conduct`."""


def contributes(message: Message) -> bool:
    """Whether `message` is what its origin adds to the common work, and no word about it."""
    return isinstance(message, Update) or (isinstance(message, Model) and message.phase in {EXCHANGE, ASKING, ANSWER})


def changed(message: Message, payload: Handle | None = None, weight: int | None = None, attempt: int | None = None) -> Message:
    """The same message with something else in it."""
    found = type(message)(
        message.round,
        message.origin,
        message.payload if payload is None else payload,
        weight=message.weight if weight is None else weight,
        phase=message.phase,
        attempt=message.attempt if attempt is None else attempt,
    )
    found.term = message.term
    return found
