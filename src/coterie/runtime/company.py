"""Whether anybody is left to finish a run with: who comes back when the others have ended must not wait for ever."""

import time
from collections.abc import Callable, Iterable

from coterie.core.errors import RunError
from coterie.runtime.transport.peer import Peer

OVER_SECONDS = 5.0
"""How long to wait for more once all the others have said that they are through: what they sent last is taken in meanwhile."""


class Alone(RunError):
    """A node cannot finish its part, for nobody is left to do it with."""


class Company:
    """Looks at the links now and then. alone_seconds: how long a node without a link to anybody goes on trying.

    failed: the places that have said that they failed; they may be started again.
    """

    def __init__(self, peers: Iterable[Peer], alone_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._peers, self._alone_seconds, self._clock = list(peers), alone_seconds, clock
        self._since = clock()
        self.failed: set[int] = set()

    def lack(self, *, busy: bool) -> str:
        """Why it is no use to wait any longer; empty while it is, or while this place is `busy` by itself."""
        wanted = [peer for peer in self._peers if not peer.excluded]
        if busy or not wanted or any(peer.streams for peer in wanted):
            self._since = self._clock()
            return ""
        for_seconds, over = self._clock() - self._since, all(peer.left and peer.place not in self.failed for peer in wanted)
        if over and for_seconds >= OVER_SECONDS:
            return "the run is over: all other members have finished it without this node"
        if for_seconds >= self._alone_seconds:
            return f"no other member could be reached for {self._alone_seconds:g} s: the run is over, or they or the network are down"
        return ""
