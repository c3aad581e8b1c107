"""Replay: what was right in an earlier round."""

from collections.abc import Iterator
from dataclasses import dataclass

from coterie.adversaries.conduct import Conduct, Occasion, Sent, changed, conduct
from coterie.core.bounds import Count
from coterie.federation.messages import Message


@conduct("replay")
@dataclass(frozen=True)
class Replay(Conduct):
    """Sends, beside its update, once more the one of `age` of its rounds ago, as it was.

    relabelled: it sends that one in place of the new one, as if it were of this round. Until there is one it sends the new one.
    """

    age: Count = 1
    relabelled: bool = False

    @property
    def remembers(self) -> int:
        """As far back as it goes."""
        return self.age

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:
        """The old one with the new one, or in its place."""
        old = occasion.earlier(message, self.age)
        if old is None:
            yield Sent(message)
        elif self.relabelled:
            yield Sent(changed(message, payload=old.payload))
        else:
            yield Sent(message)
            yield Sent(old)
