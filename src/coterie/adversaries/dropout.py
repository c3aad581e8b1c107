"""Dropping out at a bad moment: when everybody counts on the update."""

from collections.abc import Iterator
from dataclasses import dataclass

from coterie.adversaries.conduct import Conduct, Occasion, Sent, conduct
from coterie.federation.messages import Message


@conduct("dropout")
@dataclass(frozen=True)
class Dropout(Conduct):
    """Takes the model, trains, and then sends nothing."""

    @property
    def silent(self) -> bool:
        """Others wait for it."""
        return True

    def sends(self, message: Message, occasion: Occasion) -> Iterator[Sent]:  # noqa: ARG002
        """Nothing."""
        yield from ()
