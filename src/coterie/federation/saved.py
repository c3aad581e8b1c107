"""Flows, messages and states as plain data, so that a run can be cut anywhere and go on, without pickle.

`pack` turns what the protocol holds into lists, numbers and strings, and collects the handles it meets; their vectors are
written beside, raw. A file is: magic, length, MessagePack of {"data", "vectors": [[number, count], …]}, then the vectors.
"""

import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.messages import KINDS, Message, Parcel
from coterie.federation.state import Learner, RoundState, View
from coterie.federation.succession import Ballot, Vote

MAGIC = b"COTERIE1"
_LENGTH = struct.Struct("<Q")
PLAIN = frozenset({type(None), bool, int, float, str, bytes})
"""What stays as it is."""


class Packer:
    """Packs values; `handles` has every handle met, by number."""

    def __init__(self) -> None:
        self.handles: dict[int, Handle] = {}

    def pack(self, value: Any) -> Any:  # noqa: C901, PLR0911 - one line a type
        """`value` as plain data. Raises TypeError for what no protocol state may hold."""
        kind = value.__class__
        if kind in PLAIN or isinstance(value, float):  # also NumPy's
            return value
        if kind is list:
            return self._each(value)
        if kind is tuple:
            return {"t": self._each(value)}
        match value:
            case Handle():
                self.handles[value.number] = value
                return {"h": value.number}
            case Parcel():
                return {"p": [self.pack(value.content), list(value.to)]}
            case Message():
                fields = [value.code, value.round, value.origin, self.pack(value.payload), value.weight, value.phase, value.attempt]
                return {"m": [*fields, value.term]}
            case RoundState():
                fields = [self.pack(getattr(value, name)) for name in RoundState.__struct_fields__]
                return {"s": fields}
            case Learner():
                return {"l": [self.pack(getattr(value, name)) for name in Learner.__struct_fields__]}
            case Ballot():
                return {"b": [self.pack(getattr(value, name)) for name in Ballot.__struct_fields__]}
            case View():
                return {"v": [value.term, list(value.absent), value.round, value.holder, value.base]}
            case tuple():
                return {"t": self._each(value)}
            case dict():
                return {"d": [[key, self.pack(item)] for key, item in value.items()]}
        raise TypeError(f"a {type(value).__name__} cannot be kept in a checkpoint")

    def _each(self, values: Iterable[Any]) -> list[Any]:
        return [value if value.__class__ in PLAIN else self.pack(value) for value in values]


class Unpacker:
    """The way back; every handle number becomes one new handle, filled by `load`."""

    def __init__(self) -> None:
        self.handles: dict[int, Handle] = {}

    def handle(self, number: int) -> Handle:
        """The handle that stands for `number`."""
        return self.handles.setdefault(number, Handle())

    def unpack(self, value: Any) -> Any:  # noqa: C901, PLR0911 - one line a tag
        """What `pack` was given."""
        if isinstance(value, list):
            return [self.unpack(item) for item in value]
        if not isinstance(value, dict):
            return value
        ((tag, content),) = value.items()
        match tag:
            case "h":
                return self.handle(content)
            case "p":
                return Parcel(self.unpack(content[0]), tuple(NodeId(node) for node in content[1]))
            case "m":
                code, round, origin, payload, weight, phase, attempt, term = content
                message = KINDS[code](round, NodeId(origin), self.unpack(payload), weight=weight, phase=phase, attempt=attempt)
                message.term = term
                return message
            case "s":
                return RoundState(*(self.unpack(item) for item in content))
            case "l":
                return Learner(*(self.unpack(item) for item in content))
            case "b":
                promised, to, absent, votes, *others = (self.unpack(item) for item in content)
                return Ballot(promised, NodeId(to), absent, tuple(Vote(*vote) for vote in votes), *others)
            case "v":
                term, absent, number, holder, base = content
                return View(term, tuple(map(NodeId, absent)), number, NodeId(holder), base)
            case "t":
                return tuple(self.unpack(item) for item in content)
            case "d":
                return {key: self.unpack(item) for key, item in content}
        raise ValueError(f"unknown tag {tag!r}")


def write(path: Path, data: Any, handles: dict[int, Handle], to_numpy: Callable[[Any], NDArray[Any]]) -> None:
    """Write packed `data` and the values of `handles`, whole or not at all, and only return once it is on the disk."""
    facts = {number: handle.value for number, handle in handles.items() if isinstance(handle.value, dict)}
    vectors = [(number, to_numpy(handle.value)) for number, handle in handles.items() if number not in facts]
    index = [[number, vector.size] for number, vector in vectors]
    head = msgspec.msgpack.encode({"data": data, "facts": facts, "vectors": index})
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(MAGIC + _LENGTH.pack(len(head)) + head)
        for _, vector in vectors:
            file.write(np.ascontiguousarray(vector, "<f4").data.cast("B"))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def read_head(path: Path) -> Any:
    """What a file says but for its vectors: {"data", "facts", "vectors"}. Raises ValueError for a damaged file."""
    with path.open("rb") as file:
        return _head(file, path)


def read(path: Path, unpacker: Unpacker, from_numpy: Callable[[NDArray[np.float32]], Any]) -> Any:
    """The packed data of `path`; the handles of `unpacker` get their values. Raises ValueError for a damaged file."""
    with path.open("rb") as file:
        head = _head(file, path)
        for number, facts in head["facts"].items():
            unpacker.handle(int(number)).value = facts
        for number, count in head["vectors"]:
            vector = np.fromfile(file, "<f4", count)
            if vector.size != count:
                raise ValueError(f"{path} is cut off")
            unpacker.handle(number).value = from_numpy(vector)
    return head["data"]


def _head(file: BinaryIO, path: Path) -> Any:
    start = file.read(len(MAGIC) + _LENGTH.size)
    if len(start) != len(MAGIC) + _LENGTH.size or not start.startswith(MAGIC):
        raise ValueError(f"{path} is no checkpoint")
    (length,) = _LENGTH.unpack(start[len(MAGIC) :])
    if length > path.stat().st_size:
        raise ValueError(f"{path} is cut off")
    return msgspec.msgpack.decode(file.read(length), strict=False)
