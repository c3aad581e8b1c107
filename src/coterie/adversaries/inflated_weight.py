"""Lying about the number of samples, so that the own update weighs more in the mean."""

from collections.abc import Iterator
from dataclasses import dataclass

from coterie.adversaries.conduct import Conduct, Occasion, Sent, changed, conduct
from coterie.core.bounds import Positive
from coterie.federation.messages import Message

MOST = 2**31 - 1
"""What a message's weight can say."""


@conduct("inflated_weight")
@dataclass(frozen=True)
class InflatedWeight(Conduct):
    """Claims `factor` times as many samples as it has."""

    factor: Positive = 1000.0

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:  # noqa: ARG002
        """The message with its claim."""
        yield Sent(changed(message, weight=min(MOST, round(message.weight * self.factor))))
