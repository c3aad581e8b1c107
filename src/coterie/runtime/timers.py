"""Timers of nodes, for which the time in which this process did not run does not count.

On a machine with too much to do a process may not be scheduled for a while, or its own work may keep it from looking at the network. When
it goes on, its timers are over, and what others sent meanwhile has not been read yet: a deadline would pass, or an interval of silence, for
no fault of theirs. So a timer that comes much later than it was set for is set once more, for as long as it was late.
"""

import asyncio
from collections.abc import Callable

LATE_SECONDS, LATE_SHARE = 0.05, 0.1
"""What is much later: by so many seconds, and by so much of the time that it was set for."""


class Timers:
    """Those of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def after(self, seconds: float, act: Callable[[], object]) -> None:
        """Do `act` after so many seconds, in which this process runs; at the latest when it has run again as long as it was late."""
        self._loop.call_later(seconds, self._over, self._loop.time() + seconds, seconds, act)

    def _over(self, due: float, seconds: float, act: Callable[[], object]) -> None:
        late = self._loop.time() - due
        if late > max(LATE_SECONDS, LATE_SHARE * seconds):
            self._loop.call_later(min(late, seconds), act)
        else:
            act()
