"""Some nodes of a federation in one process: a driver for wall time.

Jobs run one after the other in a thread of their own, so that messages flow meanwhile. A checkpoint is on the disk before
anything that depends on it is acknowledged or sent.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.ids import NodeId
from coterie.core.jobs import Executor, Handle, Job
from coterie.federation import journal
from coterie.federation.codec import HEADER, Frame, decode, encode
from coterie.federation.delivery import Ticket
from coterie.federation.effects import Note, Report
from coterie.federation.messages import Goodbye, Hello, Message
from coterie.federation.node import Node, Refusal
from coterie.federation.saved import Packer, Unpacker, read, write
from coterie.runtime.links import Address, Link, read_frames


@dataclass(frozen=True)
class Vectors:
    """How vectors enter and leave the executor's memory."""

    to_numpy: Callable[[Any], NDArray[np.float32]]
    from_numpy: Callable[[NDArray[np.float32]], Any]


@dataclass(frozen=True)
class Roster:
    """Who is where: `addresses` of the hosts, and `host_of` each node; `run` sets this run's messages apart from others'."""

    run: int
    addresses: tuple[Address, ...]
    host_of: tuple[int, ...]
    largest: int
    """The most numbers that a vector may have."""


@dataclass
class Outcome:
    """What came of the nodes of one host."""

    results: dict[NodeId, Any] = field(default_factory=dict)
    problems: dict[NodeId, BaseException] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


class Host:
    """Runs `mine` among the nodes of a roster; see `federation.node.Driver` for what nodes ask of it.

    go_on: whether a node at this state is to go on (the budget). staleness_rounds: as in `Schedule`.
    folder: where checkpoints are kept; None keeps none, and nothing survives the process.
    on_facts: is told (node, round, facts) as they become known.
    """

    def __init__(
        self,
        roster: Roster,
        mine: Iterable[NodeId],
        executor: Executor,
        vectors: Vectors,
        *,
        go_on: Callable[[Any], bool],
        staleness_rounds: float = 0,
        folder: Path | None = None,
        on_facts: Callable[[NodeId, int, dict[str, Any]], None] = lambda *_: None,
    ) -> None:
        self.roster, self.mine, self.executor, self.vectors = roster, tuple(mine), executor, vectors
        self.folder, self._go_on, self._on_facts, self._staleness_rounds = folder, go_on, on_facts, staleness_rounds
        self.nodes: dict[NodeId, Node] = {}
        self.outcome = Outcome()
        self._place = roster.host_of[self.mine[0]]
        self._links: dict[int, Link] = {}
        self._jobs = ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    # ---- running

    async def run(
        self, start: Callable[[Node], None], build: Callable[[NodeId], journal.Build], listener: socket.socket, linger_seconds: float
    ) -> Outcome:
        """Take part until every node of this host has finished and its neighbours have what it sent.

        start: begins a node that has no checkpoint. build: makes the flows of one that has.
        """
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, context: self._broke(context.get("exception") or RuntimeError(context["message"])))
        server = await asyncio.start_server(self._accept, sock=listener, limit=1 << 20)
        for place, address in enumerate(self.roster.addresses):
            if place != self._place:
                link = self._links[place] = Link(address, lambda place=place: self._connected(place))  # type: ignore[misc]
                self._background(link.keep_open())
        came_back = [self._begin(me, start, build) for me in self.mine]
        if any(came_back):
            self._connected(self._place)
        await self._ended.wait()
        give_up = self._loop.time() + linger_seconds
        # acknowledgements come as messages; nothing else tells of them
        while self._loop.time() < give_up and not all(self._settled(node) for node in self._all_nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.02)  # goodbyes that are queued go out
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._jobs.shutdown()
        return self.outcome

    def _begin(self, me: NodeId, start: Callable[[Node], None], build: Callable[[NodeId], journal.Build]) -> bool:
        """Bring one node to life; whether it had a life before."""
        file = self._file(me)
        incarnation = self._next_incarnation(me)
        count, staleness = len(self.roster.host_of), self._staleness_rounds
        node = self.nodes[me] = Node(me, count, self, incarnation=incarnation, durable=True, staleness_rounds=staleness)
        if file is not None and file.exists():
            unpacker = Unpacker()
            data = unpacker.unpack(read(file, unpacker, self.vectors.from_numpy))
            journal.load(node, data, build(me), again=True)
            return True
        start(node)
        return False

    def _next_incarnation(self, me: NodeId) -> int:
        """One more than the last life's, on the disk before the first send, so that nobody takes the lives for one."""
        if self.folder is None:
            return 1
        file = self.folder / f"node-{me}.incarnation"
        number = int(file.read_text()) + 1 if file.exists() else 1
        partial = file.with_suffix(".partial")
        partial.write_text(str(number))
        partial.replace(file)
        return number

    @property
    def _all_nodes(self) -> list[Node]:
        return list(self.nodes.values())

    @staticmethod
    def _settled(node: Node) -> bool:
        """Whether neighbours acknowledged all but goodbyes, which nobody acknowledges."""
        assert node.delivery is not None
        return all(message.__class__ is Goodbye for link in node.delivery.links.values() for _, message, _ in link.outbox)

    def _background(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- the wire

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await read_frames(reader, self.roster.largest, self._arrived)
        except asyncio.CancelledError:
            pass
        except Exception as problem:  # noqa: BLE001 - nobody awaits this task
            self._broke(problem)
        finally:
            self._tasks.discard(task)
            writer.close()

    def _arrived(self, frame: Frame) -> None:
        """A frame names its run, its sender and, first among the nodes beyond, its receiver."""
        if frame.run != self.roster.run or not frame.beyond:
            return
        node = self.nodes.get(frame.beyond[0])
        if node is None:
            return
        if frame.vector is not None:
            frame.message.payload = Handle(self.vectors.from_numpy(frame.vector))
        node.deliver(frame.sender, frame.message, frame.beyond[1:], frame.ticket)

    def _connected(self, place: int) -> None:
        """A link is (again) there: send what is not acknowledged, and ask for what was lost."""
        there = {NodeId(node) for node, host in enumerate(self.roster.host_of) if host == place}
        for node in self._all_nodes:
            assert node.delivery is not None
            for peer in sorted(there & node.delivery.links.keys()):
                self.transmit(
                    node, (peer,), Hello(0, node.id, attempt=node.incarnation), (), node.delivery.ticket(node.delivery.link(peer), 0)
                )
                node.repeat(peer)

    # ---- what nodes ask for

    def transmit(self, node: Node, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...], ticket: Ticket) -> None:
        """Onto the link of each receiver's host; to a node of this very host by way of the same bytes."""
        vector = None if message.payload is None else self.vectors.to_numpy(message.payload.value)
        for receiver in to:
            header, body = encode(self.roster.run, node.id, message, (receiver, *beyond), ticket, vector)
            place = self.roster.host_of[receiver]
            if place == self._place:
                self._loop.call_soon(self._loop_back, header, body)
            else:
                self._links[place].send(header, body)

    def _loop_back(self, header: bytes, body: memoryview) -> None:
        self._arrived(decode(header[: HEADER.size], header[HEADER.size :], bytes(body), largest=self.roster.largest))

    def submit(self, node: Node, flow: int, token: int, job: Job[Any]) -> None:
        """The job's answer comes when it is done; if it fails, so does the node."""

        def done() -> None:
            if self.nodes.get(node.id) is node:
                node.answer(flow, token, job.outputs)

        self._run(node, job, done)

    def _run(self, node: Node, job: Job[Any], done: Callable[[], None]) -> None:
        async def run() -> None:
            try:
                await self._loop.run_in_executor(self._jobs, self.executor.run, [job])
            except Exception as problem:  # noqa: BLE001 - the node's failure, not the host's
                self.finished(node, None, problem)
            else:
                done()

        self._background(run())

    def after(self, node: Node, seconds: float, flow: int, token: int) -> None:
        """A timer."""
        self._loop.call_later(seconds, node.ring, flow, token)

    def inspect(self, node: Node, handle: Handle) -> Any:  # noqa: ARG002 - part of the driver's interface
        """Jobs have run when they answer, so values are there."""
        return handle.value

    def keep(self, node: Node, state: Any) -> bool:
        """The whole node goes to the disk, and is there when this returns."""
        file = self._file(node.id)
        if file is not None:
            packer = Packer()
            write(file, packer.pack(journal.save(node)), packer.handles, self.vectors.to_numpy)
        return self._go_on(state)

    def _file(self, me: NodeId) -> Path | None:
        return None if self.folder is None else self.folder / f"node-{me}.checkpoint"

    def note(self, node: Node, what: Any) -> None:
        """Facts go to whoever listens; refusals are kept."""
        match what:
            case Report():
                self._run(node, what.job, lambda: self._on_facts(node.id, what.round, what.job.outputs.facts.value))
            case Note():
                self._on_facts(node.id, what.round, what.facts.value)
            case Refusal():
                self.outcome.refusals.append(what)

    def _broke(self, problem: BaseException) -> None:
        """A bug of our own in the driver or the protocol: nothing that runs here can be trusted to go on."""
        for node in self._all_nodes:
            if node.id not in self.outcome.results:
                self.finished(node, None, problem)

    def finished(self, node: Node, result: Any, problem: BaseException | None) -> None:
        """One node less to wait for."""
        if problem is None:
            self.outcome.results[node.id] = result
        else:
            self.outcome.problems[node.id] = problem
        if len(self.outcome.results) + len(self.outcome.problems) == len(self.mine):
            self._ended.set()
