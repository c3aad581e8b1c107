"""A digest of all that happened in a simulated run, event by event: two runs that have the same went the same way."""

from array import array
from hashlib import blake2b
from struct import Struct
from typing import Any

MESSAGE, ANSWER, TIMER = 0, 1, 2
"""Kinds of events in the simulator's heap."""
BEGIN, END, CONNECT, BROKEN = 3, 4, 5, 6
"""Further ones where there are faults: a fault begins, or ends; a stream is there again; a message breaks its stream."""
BLOCK_BYTES = 1 << 16
_MESSAGE, _RECEIVER = Struct("<dBBBiiiiiq"), Struct("<dBBBiiiiiqI")
"""time, event, kind and phase of the message, sender, origin, round, attempt, term, weight; the receivers follow."""
_OTHER = Struct("<dBiiq")
"""time, event, and three numbers: of an answer or a timer its node, flow and token."""


class TraceDigest:
    """A running BLAKE2b over events: when, what, between whom. Not over values, which a lazy simulator does not have yet."""

    __slots__ = ("_events", "_state")

    def __init__(self) -> None:
        self._state, self._events = b"", bytearray()

    def add(self, event: tuple[Any, ...]) -> None:
        """One event of the simulator's heap, as it is taken from it."""
        kind = event[2]
        if kind == MESSAGE:
            at, _, _, to, sender, message, beyond, _, arrivals, place = event
            what = (
                at, kind, message.code, message.phase, sender, message.origin, message.round, message.attempt, message.term, message.weight
            )  # fmt: skip
            if arrivals is not None:
                self._events += _RECEIVER.pack(*what, to[place])
            else:
                self._events += _MESSAGE.pack(*what) + array("I", to).tobytes()
            if beyond:
                self._events += array("I", beyond).tobytes()
        else:
            self._events += _OTHER.pack(event[0], *event[2:6])
        if len(self._events) >= BLOCK_BYTES:
            self._fold()

    def _fold(self) -> None:
        self._state = blake2b(self._state + self._events, digest_size=32).digest()
        self._events.clear()

    def hexdigest(self) -> str:
        """The digest of all events so far."""
        return blake2b(self._state + self._events, digest_size=32).hexdigest()

    def saved(self) -> list[bytes]:
        """What `restored` needs."""
        return [self._state, bytes(self._events)]

    def restored(self, saved: list[bytes]) -> None:
        """Become what `saved` said."""
        self._state, self._events = saved[0], bytearray(saved[1])
