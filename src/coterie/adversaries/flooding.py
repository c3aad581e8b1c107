"""Flooding: the same, over and over."""

from collections.abc import Iterator
from dataclasses import dataclass

from coterie.adversaries.conduct import Conduct, Occasion, Sent, changed, conduct
from coterie.core.bounds import Count
from coterie.federation.messages import Message


@conduct("flooding")
@dataclass(frozen=True)
class Flooding(Conduct):
    """Sends every update (or model for others) so many times: `copies` in all.

    numbered: whether each copy claims to be another attempt, which makes it a message of its own.
    """

    copies: Count = 10
    numbered: bool = False

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:  # noqa: ARG002
        """The copies."""
        for number in range(self.copies):
            yield Sent(changed(message, attempt=number) if self.numbered else message)
