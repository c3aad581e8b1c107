"""The idx format of MNIST: a header of big-endian numbers, then the values.

http://yann.lecun.com/exdb/mnist/ ("the IDX file format"): two zero bytes, a type, the number of axes, four bytes for the
length of each, then the values in C order.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError

UNSIGNED_BYTE = 0x08


def read(path: Path, axes: int) -> NDArray[np.uint8]:
    """The unsigned bytes of an idx file, plain or compressed by gzip, with so many `axes`.

    Raises:
        ScenarioError: it is missing, truncated, too long, or something else.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with cast("IO[bytes]", gzip.GzipFile(fileobj=raw) if packed else raw) as stream:
                return _parse(stream, path, axes)
    except (OSError, EOFError, zlib.error) as error:
        raise ScenarioError.at("path", f"{path} cannot be read: {error}", "it is missing or truncated: get it again") from error


def _parse(stream: IO[bytes], path: Path, axes: int) -> NDArray[np.uint8]:
    magic = stream.read(4)
    expected = bytes([0, 0, UNSIGNED_BYTE, axes])
    if magic != expected:
        raise ScenarioError.at(
            "path",
            f"{path} begins with {magic.hex(' ') or 'nothing'}; an idx file of bytes with {axes} axes with {expected.hex(' ')}",
            "check that images and labels were not exchanged",
        )
    header = stream.read(4 * axes)
    if len(header) < 4 * axes:
        raise ScenarioError.at("path", f"{path} ends within its header", "it is truncated: get it again")
    shape = struct.unpack(f">{axes}I", header)
    size = math.prod(shape)
    values = _at_most(stream, size + 1)
    if len(values) != size:
        found = f"only {len(values):,}" if len(values) < size else "more"
        raise ScenarioError.at(
            "path", f"{path} says it holds {size:,} values {shape} but has {found}", "it is truncated or damaged: get it again"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _at_most(stream: IO[bytes], size: int) -> bytes:
    """What is there, up to `size` bytes; never allocates what a header merely claims."""
    parts: list[bytes] = []
    while size > 0 and (part := stream.read(min(size, 1 << 24))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
