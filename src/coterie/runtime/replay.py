"""What one node was told and what it did, in order; and the same again, from what it was told, through a fresh node.

With it a real run can be looked into afterwards, and it is the proof that a node is a function of what comes in: whatever the network
and the clock did to a run without common rounds, each node's part in it can be had again, effect for effect and bit for bit.

A node that is killed and comes back has a journal for each of its lives, which begins with its checkpoint; a killed one's may end anywhere.

An entry is `(what, …)`. In: started, delivered (with the message's vector), answered (with the digests of a job's results), rung, greeted,
repeated, left out, performed again. Out: what the node asked its driver for (`Driver`), digested.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.core.jobs import Executor, Handle, Job
from coterie.federation.delivery import Ticket
from coterie.federation.effects import Event, Note, Report
from coterie.federation.messages import Message
from coterie.federation.node import Node, Refusal
from coterie.federation.saved import Packer, Unpacker

Entry = tuple[Any, ...]
ToNumpy = Callable[[Any], NDArray[Any]]
INCOMING = ("deliver", "answer", "ring", "greet", "repeat", "leave_out", "perform_again")
"""The methods of a node that a driver calls."""
LENGTH_BYTES = 8


class Strayed(RuntimeError):
    """A node did another thing than it did before."""


def digest(value: Any, to_numpy: ToNumpy) -> str:
    """SHA-256 of what the protocol holds: of its fields, and of the bits of its vectors."""
    packer = Packer()
    plain = packer.pack(value)
    numbers: dict[int, str] = {}
    for number, handle in packer.handles.items():
        about = handle.value
        content = msgspec.json.encode(about) if isinstance(about, dict) else to_numpy(about).tobytes()
        numbers[number] = hashlib.sha256(content).hexdigest()
    return hashlib.sha256(msgspec.msgpack.encode(_named(plain, numbers))).hexdigest()


def _named(plain: Any, numbers: dict[int, str]) -> Any:
    """Packed data with the digest of a vector in place of the number of its handle."""
    if isinstance(plain, list):
        return [_named(item, numbers) for item in plain]
    if isinstance(plain, dict):
        return {tag: numbers[item] if tag == "h" else _named(item, numbers) for tag, item in plain.items()}
    return plain


class Written(list[Entry]):
    """Entries that go into `file` as they come, so that they are there when the process is killed."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file.open("wb", buffering=0)

    def append(self, entry: Entry) -> None:
        """One more."""
        super().append(entry)
        self._file.write(written([entry]))


@dataclass
class Tap:
    """Stands between a node and its driver, and writes down what passes: as a driver for the node, and (`called`) the other way."""

    driver: Any
    to_numpy: ToNumpy
    entries: list[Entry] = field(default_factory=list)
    depth: int = 0

    def called(self, what: str, arguments: Sequence[Any]) -> None:
        """The driver calls a method of the node."""
        match what:
            case "deliver":
                sender, message, beyond, ticket = arguments
                packer = Packer()
                packed = packer.pack(message)
                vectors = {number: self.to_numpy(handle.value).tobytes() for number, handle in packer.handles.items()}
                self.entries.append((what, sender, packed, vectors, list(beyond), list(ticket)))
            case "answer":
                flow, token, outputs = arguments
                self.entries.append((what, flow, token, digest(tuple(outputs), self.to_numpy)))
            case "perform_again":
                self.entries.append((what, arguments[0].number))
            case _:
                self.entries.append((what, *(list(one) if isinstance(one, (list, tuple)) else one for one in arguments)))

    def transmit(self, node: Node, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...], ticket: Ticket) -> None:
        """As `Driver`."""
        self.entries.append(("transmit", list(to), digest(message, self.to_numpy), list(beyond), list(ticket)))
        self.driver.transmit(node, to, message, beyond, ticket)

    def submit(self, node: Node, flow: int, token: int, job: Job[Any]) -> None:
        """As `Driver`."""
        self.entries.append(("submit", flow, token, self._job(job)))
        self.driver.submit(node, flow, token, job)

    def after(self, node: Node, seconds: float, flow: int, token: int) -> None:
        """As `Driver`."""
        self.entries.append(("after", seconds, flow, token))
        self.driver.after(node, seconds, flow, token)

    def keep(self, node: Node, state: Any) -> bool | None:
        """As `Driver`; the answer is written down, too, since the node goes by it."""
        kept: bool | None = self.driver.keep(node, state)
        self.entries.append(("keep", digest(state, self.to_numpy), kept))
        return kept

    def inspect(self, node: Node, handle: Handle) -> Any:
        """As `Driver`."""
        self.entries.append(("inspect", digest(handle, self.to_numpy)))
        return self.driver.inspect(node, handle)

    def note(self, node: Node, what: Any) -> None:
        """As `Driver`."""
        self.entries.append(("note", self._noted(what)))
        self.driver.note(node, what)

    def finished(self, node: Node, result: Any, problem: BaseException | None) -> None:
        """As `Driver`."""
        self.entries.append(("finished", digest(result, self.to_numpy), problem is None))
        self.driver.finished(node, result, problem)

    def _job(self, job: Job[Any]) -> str:
        return digest((job.function, job.inputs, job.args, job.node, job.round), self.to_numpy)

    def _noted(self, what: Any) -> list[Any]:
        match what:
            case Report():
                return ["report", what.round, self._job(what.job)]
            case Note():
                return ["note", what.round, digest(what.facts, self.to_numpy)]
            case Event():
                return ["event", what.what, what.detail]
            case Refusal():
                return ["refusal", what.sender, what.problem.reason, digest(what.message, self.to_numpy)]
        raise TypeError(f"{what!r} is nothing to be noted")


class TappedNode(Node):
    """A node that writes everything down (`tap`), into `file` where there is one."""

    __slots__ = ("tap",)

    def __init__(self, me: NodeId, nodes: int, driver: Any, *, to_numpy: ToNumpy, file: Path | None = None, **settings: Any) -> None:
        self.tap = Tap(driver, to_numpy, [] if file is None else Written(file))
        super().__init__(me, nodes, self.tap, **settings)


def _tapped(name: str) -> Any:
    call = getattr(Node, name)

    @wraps(call)
    def method(self: TappedNode, *arguments: Any) -> Any:
        if not self.tap.depth:  # not one of the node's own calls
            self.tap.called(name, arguments)
        self.tap.depth += 1
        try:
            return call(self, *arguments)
        finally:
            self.tap.depth -= 1

    return method


for _name in INCOMING:
    setattr(TappedNode, _name, _tapped(_name))


def replay(
    node: TappedNode,
    begin: Callable[[TappedNode], object],
    entries: Sequence[Entry],
    executor: Executor,
    from_numpy: Any,
    *,
    on_keep: Callable[[Node], None] = lambda _: None,
) -> Any:
    """Have a fresh `node` go through what `entries` of an earlier one tell; the result of its first flow, None where it was killed before.

    begin: starts its first flow, or loads its checkpoint. executor: does its jobs anew. on_keep: is told of each checkpoint.
    Raises Strayed at the first thing that is not as it was.
    """
    again = _Again(entries, executor, from_numpy, on_keep)
    node.tap.driver = again
    again.check(node, lambda: begin(node))
    while (entry := again.next_incoming(len(node.tap.entries))) is not None:
        again.check(node, lambda entry=entry: again.tell(node, entry))  # type: ignore[misc]
    return again.result


class _Again:
    """The driver of a replay: it does jobs at once, and answers as the entries say."""

    def __init__(self, entries: Sequence[Entry], executor: Executor, from_numpy: Any, on_keep: Callable[[Node], None]) -> None:
        self._entries, self._executor, self._from_numpy, self._on_keep = entries, executor, from_numpy, on_keep
        self._jobs: dict[int, Job[Any]] = {}
        self._kept = iter([entry[2] for entry in entries if entry[0] == "keep"])
        self._killed = not any(entry[0] == "finished" for entry in entries)
        self.result: Any = None

    def next_incoming(self, place: int) -> Entry | None:
        return self._entries[place] if place < len(self._entries) else None

    def check(self, node: TappedNode, act: Callable[[], object]) -> None:
        """Let something happen, and compare what came of it with what came of it then."""
        before = len(node.tap.entries)
        act()
        for place, entry in enumerate(node.tap.entries[before:], before):
            if place >= len(self._entries) and self._killed:
                return  # it was not given the time for it
            earlier = self._entries[place] if place < len(self._entries) else None
            told = entry[0] in INCOMING and entry[0] != "answer"  # by the replay itself, under other numbers of handles
            if not told and _plain(entry) != _plain(earlier):
                raise Strayed(f"entry {place} of node {node.id}: {entry!r:.300}, and before it was {earlier!r:.300}")

    def tell(self, node: TappedNode, entry: Entry) -> None:
        match entry:
            case ("deliver", sender, packed, vectors, beyond, ticket):
                unpacker = Unpacker()
                message = unpacker.unpack(packed)
                for number, raw in vectors.items():
                    unpacker.handle(number).value = self._from_numpy(np.frombuffer(raw, np.float32).copy())
                node.deliver(NodeId(sender), message, tuple(map(NodeId, beyond)), tuple(ticket))
            case ("answer", flow, token, _):
                node.answer(flow, token, self._jobs.pop(token).outputs)
            case ("perform_again", number):
                flow = node.flows[number]
                node.perform_again(flow, flow.effect)  # type: ignore[arg-type]
            case (what, *arguments) if what in INCOMING:
                getattr(node, what)(*arguments)
            case _:
                raise Strayed(f"node {node.id} did {entry!r:.300} then, and nothing now")

    # ---- as a driver

    def transmit(self, *_: Any) -> None: ...

    def after(self, *_: Any) -> None: ...

    def submit(self, node: Node, flow: int, token: int, job: Job[Any]) -> None:  # noqa: ARG002 - the driver's interface
        self._executor.run([job])
        self._jobs[token] = job

    def keep(self, node: Node, state: Any) -> bool | None:  # noqa: ARG002 - the driver's interface
        self._on_keep(node)
        kept: bool | None = next(self._kept, None)
        return kept

    def inspect(self, node: Node, handle: Handle) -> Any:  # noqa: ARG002 - the driver's interface
        return handle.value

    def note(self, node: Node, what: Any) -> None: ...

    def finished(self, node: Node, result: Any, problem: BaseException | None) -> None:  # noqa: ARG002 - the driver's interface
        self.result = result


def _plain(entry: Any) -> Any:
    """An entry as it would be read back from a file."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(entry), strict=False)


def written(entries: Iterable[Entry]) -> bytes:
    """Entries for a file: of each its length, and what it is."""
    packed = (msgspec.msgpack.encode(entry) for entry in entries)
    return b"".join(len(one).to_bytes(LENGTH_BYTES, "little") + one for one in packed)


def read(data: bytes) -> list[Entry]:
    """The way back; half an entry at the end is left out. Raises PeerError where it is none."""
    found, place = [], 0
    while place + LENGTH_BYTES <= len(data):
        begin = place + LENGTH_BYTES
        place = begin + int.from_bytes(data[place:begin], "little")
        if place > len(data):
            break
        try:
            found.append(tuple(msgspec.msgpack.decode(data[begin:place], strict=False)))
        except (msgspec.DecodeError, TypeError) as error:
            raise PeerError("malformed", f"no journal of a node: {error}") from None
    return found
