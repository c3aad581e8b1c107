"""Outsiders on a link: they have no certificate, and so can only drop, delay, alter or repeat what members send each other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

from coterie.adversaries.conduct import Conduct, Occasion, Sent, conduct
from coterie.core.bounds import Fraction, Positive
from coterie.federation.messages import Message


@conduct("interference")
@dataclass(frozen=True)
class Interference(Conduct):
    """Somebody on a link between two nodes does something to a `share` of the messages on it; which, is drawn.

    action: drop; delay, by `seconds`; alter: the receiver sees that it is not what was sent, refuses it, and is sent it again,
    `seconds` later; replay: the message arrives twice, the second time `seconds` later.
    """

    on_links: ClassVar[bool] = True

    action: Literal["drop", "delay", "alter", "replay"] = "alter"
    share: Fraction = 1.0
    seconds: Positive = 1.0

    @property
    def silent(self) -> bool:
        """What is dropped is waited for."""
        return self.action == "drop"

    @property
    def forges(self) -> bool:
        """Whether what comes through is not what was sent."""
        return self.action == "alter"

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:
        """What comes out of the link."""
        if occasion.luck >= self.share:
            yield Sent(message)
            return
        if self.action == "replay":
            yield Sent(message)
        if self.action != "drop":
            yield Sent(message, self.seconds)
