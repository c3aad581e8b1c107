"""TCP links between hosts. Each host dials every other one and sends on that connection alone; it reads on the ones it accepts.

A link that breaks is dialled again, more patiently each time; what was on its way is lost, and the nodes' outboxes send it
once more. Frames are bounded before anything is allocated.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

from coterie.core.errors import PeerError
from coterie.federation.codec import HEADER, Frame, decode, decode_header

Address = tuple[str, int]
Bytes = bytes | bytearray | memoryview

log = logging.getLogger("coterie.runtime")

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 2.0


class Link:
    """The sending side towards one host: a queue that survives reconnections only as the nodes' outboxes do."""

    def __init__(self, address: Address, connected: Callable[[], None]) -> None:
        self.address, self._connected = address, connected
        self._queue: deque[tuple[Bytes, ...]] = deque()
        self._filled = asyncio.Event()
        self.open = False

    def send(self, *parts: Bytes) -> None:
        """Queue one frame."""
        if self.open:
            self._queue.append(parts)
            self._filled.set()

    async def keep_open(self) -> None:
        """Dial, send, and dial again, until cancelled."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                reader, writer = await asyncio.open_connection(*self.address)
            except OSError:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                continue
            pause = FIRST_PAUSE_SECONDS
            gone = asyncio.ensure_future(reader.read(1))  # nothing is ever sent back: it ends when the peer does
            gone.add_done_callback(lambda _: self._filled.set())
            try:
                self.open = True
                self._connected()
                await self._pump(writer, gone)
            except OSError as error:
                log.info("link to %s:%s broke: %s", *self.address, error)
            finally:
                self.open = False
                self._queue.clear()
                gone.cancel()
                writer.close()

    async def _pump(self, writer: asyncio.StreamWriter, gone: "asyncio.Future[bytes]") -> None:
        while True:
            while self._queue:
                for part in self._queue.popleft():
                    writer.write(part)
                await writer.drain()
            if gone.done():
                raise ConnectionResetError("the peer closed it")
            self._filled.clear()
            if not self._queue:
                await self._filled.wait()


async def read_frames(reader: asyncio.StreamReader, largest: int, deliver: Callable[[Frame], None]) -> None:
    """Hand every frame to `deliver` until the peer closes; a malformed one ends the connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            header = await reader.readexactly(HEADER.size)
            try:
                beyond_bytes, vector_bytes = decode_header(header, largest=largest)
                beyond = await reader.readexactly(beyond_bytes)
                body = await reader.readexactly(vector_bytes)
                frame = decode(header, beyond, body, largest=largest)
            except PeerError as problem:
                log.warning("a peer's connection is closed: %s", problem)
                return
            deliver(frame)
