"""Append-only files of JSON lines: writing that survives `kill -9`, reading that names the damaged line.

Rows are msgspec structs. They gather in memory and reach the operating system in whole lines, so that a killed process
leaves a prefix, at worst with a torn last line; opening for writing cuts it off and reading passes over it.
"""

import errno
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from coterie.core.errors import ScenarioError

FLUSH_BYTES = 1 << 17
FLUSH_SECONDS = 1.0
READ_BYTES = 1 << 23
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What a system says of a disk, a quota or a limit that is full."""

Row = TypeVar("Row", bound=msgspec.Struct)


class RowWriter:
    """Appends rows to the file at `path`; about half a microsecond a row.

    position: cut the file back to this many bytes first (a position that was noted earlier); None heals a torn last
    line and keeps the rest. Raises ScenarioError when the file is shorter than `position`.
    """

    __slots__ = ("_buffer", "_encoder", "_file", "_flushed_at", "_written", "path")

    def __init__(self, path: Path, position: int | None = None) -> None:
        self.path = path
        self._encoder = msgspec.json.Encoder()
        self._buffer = bytearray()
        self._file = open(path, "r+b" if path.exists() else "w+b", buffering=0)  # noqa: PTH123, SIM115 - closed by close()
        size = os.fstat(self._file.fileno()).st_size
        try:
            self.cut(_whole_lines(self._file, size) if position is None else position)
        except ScenarioError:
            self._file.close()
            raise

    def cut(self, position: int) -> None:
        """Drops what comes after the first `position` bytes, written or not; raises ScenarioError when there are fewer."""
        size = os.fstat(self._file.fileno()).st_size
        if size < position:
            raise ScenarioError.at(
                str(self.path),
                f"holds {size} bytes where {position} had been written",
                "the file was cut after the run; start the run anew in another folder",
            )
        self._file.truncate(position)
        self._file.seek(position)
        self._written, self._buffer = position, bytearray()
        self._flushed_at = time.monotonic()

    @property
    def position(self) -> int:
        """How many bytes the file holds once all rows so far are flushed."""
        return self._written + len(self._buffer)

    def append(self, row: msgspec.Struct | dict[str, Any]) -> None:
        """Adds one row; numbers that are not finite become null."""
        self._encoder.encode_into(row, self._buffer, -1)
        self._buffer += b"\n"
        self._flush_when_due()

    def extend(self, rows: Iterable[msgspec.Struct]) -> None:
        """Adds many rows in one go."""
        self._buffer += self._encoder.encode_lines(rows)
        self._flush_when_due()

    def _flush_when_due(self) -> None:
        """A disk that is full has room again at some later time, perhaps; until then rows gather here."""
        if len(self._buffer) >= FLUSH_BYTES or time.monotonic() - self._flushed_at >= FLUSH_SECONDS:
            try:
                self.flush()
            except OSError as error:
                if error.errno not in NO_ROOM:
                    raise

    def flush(self) -> None:
        """Hands all rows to the operating system: they outlive this process, however it ends. Raises OSError; no row is lost by it."""
        self._flushed_at = time.monotonic()
        while self._buffer:
            count = self._file.write(self._buffer)
            del self._buffer[:count]
            self._written += count

    def close(self) -> None:
        """Flushes and closes the file; closing twice is harmless."""
        if not self._file.closed:
            self.flush()
            self._file.close()


def _whole_lines(file: Any, size: int) -> int:
    """How many bytes of an open file come before its torn last line."""
    end = size
    while end:
        start = max(0, end - 4096)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return int(start + at + 1)
        end = start
    return 0


def read_rows(path: Path, row: type[Row]) -> Iterator[list[Row]]:
    """The rows of a file, in lists of some tens of thousands; a torn last line is left out.

    Raises ScenarioError, with the number of the line, where a line is not such a row.
    """
    decoder = msgspec.json.Decoder(row)
    line, rest = 1, b""
    try:
        with path.open("rb") as file:
            while block := file.read(READ_BYTES):
                whole, newline, rest = (rest + block).rpartition(b"\n")
                if newline:
                    rows = _decode(decoder, whole, path, line)
                    line += whole.count(b"\n") + 1
                    yield rows
    except OSError as error:
        raise ScenarioError.at(str(path), f"cannot be read ({error.strerror or error})", "is this the folder of a run?") from None


def _decode(decoder: "msgspec.json.Decoder[Row]", block: bytes, path: Path, first_line: int) -> list[Row]:
    try:
        return decoder.decode_lines(block)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        for number, text in enumerate(block.split(b"\n"), first_line):
            try:
                decoder.decode(text)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise ScenarioError.at(
                    f"{path}:{number}", f"is damaged ({error})", "restore the file from a copy, or run the scenario again"
                ) from None
        raise
