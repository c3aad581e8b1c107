"""What stands on either side of the links: another place, and whoever is told what comes from it."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.runtime.transport.limits import Allowance, Conduct
from coterie.runtime.transport.stream import Stream, Traffic
from coterie.runtime.transport.wire import Parts, Word


class Listener(Protocol):
    """Who is told what comes. Nothing of it may block."""

    def arrived(self, place: int, parts: Parts) -> None:
        """A whole frame came from `place`; raises PeerError to refuse it."""

    def connected(self, place: int) -> None:
        """A stream with `place` is (again) there."""

    def heard(self, place: int, word: Word) -> None:
        """A word for those above the transport; raises PeerError to refuse it."""

    def asked(self, word: Word) -> Word:
        """The answer to what the authority asks; raises PeerError where there is none."""

    def refused(self, place: int, problem: PeerError) -> None:
        """Something of `place` was refused."""

    def cut_off(self, place: int, problem: PeerError) -> None:
        """No more will come from `place`: it was revoked or caught at what no node does."""

    def broke(self, problem: BaseException) -> None:
        """A bug of our own came to light."""


@dataclass
class Peer:
    """One other place, as the links see it."""

    place: int
    nodes: tuple[NodeId, ...]
    conduct: Conduct
    openings: Allowance
    streams: list[Stream] = field(default_factory=list)
    accepted: "list[asyncio.Task[Any]]" = field(default_factory=list)
    tasks: "set[asyncio.Task[Any]]" = field(default_factory=set)
    traffic: Traffic = field(default_factory=Traffic)
    dialling: "asyncio.Task[None] | None" = None
    state: str = "not connected"
    problem: str = ""
    excluded: bool = False
    finished: bool = False
    left: bool = False
    """Whether it said that it had finished, and has not been back since."""
