"""Delay: right messages, late."""

from collections.abc import Iterator
from dataclasses import dataclass

from coterie.adversaries.conduct import Conduct, Occasion, Sent, conduct
from coterie.core.bounds import Positive
from coterie.federation.messages import Message


@conduct("delay")
@dataclass(frozen=True)
class Delay(Conduct):
    """Holds its updates (or models for others) back for so many `seconds` of virtual time."""

    seconds: Positive = 10.0

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:  # noqa: ARG002
        """The message, later."""
        yield Sent(message, self.seconds)
