"""What one node sends to another where links break, and what faults make of a single message."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from coterie.core import draws
from coterie.environments.faults import FAULTS, Corruption, Delay, Duplication, Loss, Reordering
from coterie.simulator.injections import Injections, Occasion

NAMES = {FAULTS.entry(name).thing: name for name in FAULTS.names()}
"""Kinds of faults by class."""


class Stream:
    """What one node sends to another: an unbroken sequence, or nothing.

    life: grows when it breaks; what belongs to an earlier life never arrives. count: messages so far, which keys their draws.
    last: the last arrival, which later ones do not overtake. up: whether it is whole. blocked: whether it cannot be whole now.
    """

    __slots__ = ("blocked", "count", "last", "life", "up")

    def __init__(self, life: int = 0, count: int = 0, last: float = 0.0, *, up: bool = True, blocked: bool = False) -> None:
        self.life, self.count, self.last, self.up, self.blocked = life, count, last, up, blocked

    def saved(self) -> list[Any]:
        """What makes it again."""
        return [self.life, self.count, self.last, self.up, self.blocked]


class Fate(NamedTuple):
    """What happens to a message.

    met: names of the faults that it meets. breaks: whether its stream breaks with it; corrupt: because it is not what was sent. later:
    seconds by which it, and all behind it, is late; overtaken: seconds by which it alone is. again: seconds after which it comes once more.
    """

    met: tuple[str, ...] = ()
    breaks: bool = False
    corrupt: bool = False
    later: float = 0.0
    overtaken: float = 0.0
    again: float | None = None


UNHARMED = Fate()


def fate(injections: Injections, active: Iterable[Occasion], key: int, sender: int, receiver: int) -> Fate:
    """What the `active` faults make of the message whose draws `key` keys."""
    found = UNHARMED
    for which in active:
        kind: Any = injections.wanted[which.number].kind
        if kind.hits != "messages" or not injections.concerns(which, sender, receiver):
            continue
        if draws.uniform(key, 2 * which.number) >= kind.share:
            continue
        found = found._replace(met=(*found.met, NAMES[type(kind)]))
        if isinstance(kind, (Loss, Corruption)):
            return found._replace(breaks=True, corrupt=isinstance(kind, Corruption))
        seconds = kind.seconds * draws.uniform(key, 2 * which.number + 1)
        if isinstance(kind, Delay):
            found = found._replace(later=found.later + seconds)
        elif isinstance(kind, Reordering):
            found = found._replace(overtaken=found.overtaken + seconds)
        elif isinstance(kind, Duplication):
            found = found._replace(again=seconds)
    return found
