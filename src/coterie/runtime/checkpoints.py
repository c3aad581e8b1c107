"""Where the nodes of one place keep what must survive their process, and what becomes of it where there is no room.

A checkpoint is written whole beside the last one and then takes its place, so that a disk that is full, or a process that is
killed on the way, leaves the last one as it was.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coterie.core.ids import NodeId
from coterie.federation import journal
from coterie.federation.node import Node
from coterie.federation.saved import Packer, Unpacker, read, write
from coterie.reporting.rows import NO_ROOM
from coterie.runtime.seals import Seals

if TYPE_CHECKING:
    from coterie.runtime.host import Vectors

log = logging.getLogger("coterie.runtime")


class Checkpoints:
    """The files of some nodes in `folder`; without one nothing is kept, and nothing survives the process."""

    def __init__(self, folder: Path | None, vectors: "Vectors", seals: Seals) -> None:
        self._folder, self._vectors, self._seals = folder, vectors, seals

    def next_incarnation(self, me: NodeId) -> int:
        """One more than the last life's, on the disk before the first send, so that nobody takes the lives for one."""
        if self._folder is None:
            return 1
        file = self._folder / f"node-{me}.incarnation"
        number = int(file.read_text()) + 1 if file.exists() else 1
        partial = file.with_suffix(".partial")
        partial.write_text(str(number))
        partial.replace(file)
        return number

    def has(self, me: NodeId) -> bool:
        """Whether there is one of an earlier life of this node."""
        file = self._file(me)
        return file is not None and file.exists()

    def restore(self, node: Node, build: journal.Build) -> bool:
        """Make `node` what it was; False where nothing was kept of it. Raises ValueError for a damaged file."""
        file = self._file(node.id)
        if file is None or not self.has(node.id):
            return False
        unpacker = Unpacker()
        data = unpacker.unpack(read(file, unpacker, self._vectors.from_numpy))
        self._seals.kept |= {identity: bytes.fromhex(seal) for identity, seal in data["seals"]}
        journal.load(node, data["node"], build, again=True)
        return True

    def keep(self, node: Node) -> str:
        """Have the whole node on the disk when this returns; otherwise why there is no room for it. Raises OSError."""
        file = self._file(node.id)
        if file is None:
            return ""
        packer = Packer()
        seals = [(identity, seal.hex()) for identity, seal in self._seals.kept.items()]
        packed = packer.pack({"node": journal.save(node), "seals": seals})
        try:
            write(file, packed, packer.handles, self._vectors.to_numpy)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            file.with_name(file.name + ".partial").unlink(missing_ok=True)  # half of it would only take more room
            return f"{file.parent}: {error.strerror}"
        return ""

    def _file(self, me: NodeId) -> Path | None:
        return None if self._folder is None else self._folder / f"node-{me}.checkpoint"


def where_there_is_room(act: Callable[[], Any]) -> str:
    """Do what can wait for later; why there was no room for it, if so. Raises OSError for anything else."""
    try:
        act()
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        return str(error.strerror)
    return ""
