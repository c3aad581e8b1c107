"""Invented identities: messages in the name of participants that there are not."""

from collections.abc import Iterator
from dataclasses import dataclass

from coterie.adversaries.conduct import Conduct, Occasion, Sent, changed, conduct
from coterie.core.bounds import Count
from coterie.core.ids import NodeId
from coterie.federation.messages import Message

FIRST = 1 << 20
"""Beyond the ids of the federation."""


@conduct("strangers")
@dataclass(frozen=True)
class Strangers(Conduct):
    """Sends every update (or model for others) in the name of so many further participants, too, who are no members."""

    count: Count = 5

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:  # noqa: ARG002
        """The message, and the same from nobody."""
        yield Sent(message)
        for number in range(self.count):
            invented = changed(message)
            invented.origin = NodeId(FIRST + number)
            yield Sent(invented)
