"""Some nodes of a federation in one process: a driver for wall time.

Jobs run one after the other in a thread of their own, so that messages flow meanwhile. A checkpoint is on the disk before
anything that depends on it is acknowledged or sent.
"""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.core.jobs import Executor, Handle, Job
from coterie.federation import journal
from coterie.federation.codec import HEADER, decode, encode
from coterie.federation.delivery import Ticket
from coterie.federation.effects import Checkpoint, Event, Note, Report
from coterie.federation.messages import Goodbye, Message, Update
from coterie.federation.node import Node, Refusal
from coterie.runtime import admission
from coterie.runtime.admission import Run
from coterie.runtime.checkpoints import Checkpoints
from coterie.runtime.company import Alone, Company
from coterie.runtime.jobs import Jobs
from coterie.runtime.seals import Seals, on_their_way
from coterie.runtime.timers import Timers
from coterie.runtime.transport.stream import Outgoing
from coterie.runtime.transport.wire import Parts, Word
from coterie.runtime.watch import Watch

if TYPE_CHECKING:
    from coterie.runtime.transport.links import Links  # brings gRPC along

FAILED, TROUBLED, FAILURE_LETTERS = "failed", "troubled", 8000
"""The topics under which a host tells that it has failed, or cannot go on for now; and how much of the reason it tells."""
ROOM_SECONDS = LOOK_SECONDS = 1.0
"""How often a node without room on its disk tries again, and how often a host looks whether anybody is left."""
EARLY_FRAMES, EARLY_VECTORS = 256, 4
"""So many frames, and so many largest vectors, may come from one place before our nodes have begun."""

log = logging.getLogger("coterie.runtime")


@dataclass(frozen=True)
class Vectors:
    """How vectors enter and leave the executor's memory."""

    to_numpy: Callable[[Any], NDArray[np.float32]]
    from_numpy: Callable[[NDArray[np.float32]], Any]


@dataclass
class Outcome:
    """What came of the nodes of one host."""

    results: dict[NodeId, Any] = field(default_factory=dict)
    problems: dict[NodeId, BaseException] = field(default_factory=dict)


class Host:
    """Runs the nodes of one place; see `federation.node.Driver` for what nodes ask of it, `links.Listener` for what comes.

    go_on: whether a node at this state is to go on (the budget).
    folder: where checkpoints are kept; None keeps none, and nothing survives the process.
    watch: is told what happens. alone_seconds: how long to go on without a link to anybody.
    """

    make_node: Callable[..., Node] = Node

    def __init__(
        self,
        run: Run,
        links: "Links",
        executor: Executor,
        vectors: Vectors,
        *,
        go_on: Callable[[Any], bool],
        folder: Path | None = None,
        watch: Watch | None = None,
        alone_seconds: float = 600.0,
    ) -> None:
        self.run_, self.links, self.vectors = run, links, vectors
        self._go_on, self.watch = go_on, watch or Watch()
        self.mine = run.places[links.mine]
        self.nodes: dict[NodeId, Node] = {}
        self.outcome = Outcome()
        self._place_of = {node: place for place, nodes in enumerate(run.places) for node in nodes}
        self._seals = Seals(links.credentials, run.number)
        self._checkpoints = Checkpoints(folder, vectors, self._seals)
        self._troubled: dict[NodeId, str] = {}
        self._company, self._jobs = Company(links.peers.values(), alone_seconds), Jobs(executor)
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._early: list[tuple[int, Parts]] | None = []

    # ---- running

    async def run(
        self,
        start: Callable[[Node], None],
        build: Callable[[NodeId], journal.Build],
        neighbours: Iterable[int],
        linger_seconds: float,
        ready: Callable[[], Awaitable[bool]] | None = None,
    ) -> Outcome:
        """Take part until every node of this host has finished and its neighbours have what it sent.

        start: begins a node that has no checkpoint. build: makes the flows of one that has. neighbours: the places to dial.
        ready: awaited once this host listens and before its nodes begin; whether they are to begin at all.
        """
        self._loop = asyncio.get_running_loop()
        self._timers = Timers(self._loop)
        self._loop.set_exception_handler(lambda _, context: self.broke(context.get("exception") or RuntimeError(context["message"])))
        finished = False
        try:
            await self.links.open(self, neighbours, back=any(map(self._checkpoints.has, self.mine)))
            if ready is None or await ready():
                again = [self._begin(me, start, build) for me in self.mine]
                if any(again):
                    self.connected(self.links.mine)
                self._begun()
                self._background(self._look_out())
                await self._ended.wait()
                self._tell_failures(self.outcome.problems.values())
                await self._handed_over(linger_seconds)
            finished = True
        except Exception as problem:
            self._tell_failures([problem])
            finished = True
            raise
        finally:
            await self.links.close(finished=finished)
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._jobs.end(wait=finished)
        return self.outcome

    def _tell_failures(self, problems: Iterable[BaseException]) -> None:
        """Nobody is to wait for a node that failed without knowing why."""
        for problem in problems:
            reason = (str(problem).splitlines() or [type(problem).__name__])[0]
            text = f"{reason}\n{''.join(traceback.format_exception(problem))}"[:FAILURE_LETTERS]
            for place in self.links.peers:
                self.links.say(place, Word(FAILED, text.encode()))

    def _begun(self) -> None:
        """Take in what came before our nodes were there, but not from those who were cut off by then."""
        early, self._early = self._early or [], None
        for place, peer in self.links.peers.items():
            if peer.excluded:
                self.leave_out(self.run_.places[place])
        for place, parts in early:
            self.links.deliver(place, parts)

    async def _look_out(self) -> None:
        """Ends what nobody is left to go on with."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if lack := self._company.lack(busy=self._jobs.busy):
                self.broke(Alone(lack))

    async def _handed_over(self, seconds: float) -> None:
        """Until the neighbours have what was sent, or for so long."""
        give_up = self._loop.time() + seconds
        # acknowledgements come as messages; nothing else tells of them
        while self._loop.time() < give_up and not all(self._settled(node) for node in self._all_nodes):  # noqa: ASYNC110
            await asyncio.sleep(0.005)

    def _begin(self, me: NodeId, start: Callable[[Node], None], build: Callable[[NodeId], journal.Build]) -> bool:
        """Bring one node to life; whether it had a life before."""
        node = self.nodes[me] = self.make_node(
            me,
            self.run_.nodes,
            self,
            incarnation=self._checkpoints.next_incarnation(me),
            durable=True,
            staleness_rounds=self.run_.staleness_rounds,
            newest_only=self.run_.newest_only,
        )
        if not self._checkpoints.restore(node, build(me)):
            start(node)
            return False
        assert node.delivery is not None
        for peer in sorted(node.delivery.links):
            if self._place_of[peer] != self.links.mine:
                self.links.dial(self._place_of[peer])
        return True

    @property
    def _all_nodes(self) -> list[Node]:
        return list(self.nodes.values())

    def _settled(self, node: Node) -> bool:
        """Whether neighbours acknowledged all but goodbyes, which nobody acknowledges.

        Nothing is owed to who was cut off, and to who has left only what it hands on: it may not even be there to acknowledge.
        """
        assert node.delivery is not None
        return all(
            self._excluded(peer)
            or all(message.__class__ is Goodbye or (peer in node.presence.gone and not beyond) for _, message, beyond in link.outbox)
            for peer, link in node.delivery.links.items()
        )

    def _excluded(self, peer: NodeId) -> bool:
        place = self._place_of[peer]
        return place != self.links.mine and self.links.peers[place].excluded

    def _background(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- what comes over the links

    def arrived(self, place: int, parts: Parts) -> None:
        """A frame: it names its run, its sender and, first among the nodes beyond, its receiver. Raises PeerError."""
        if self._early is not None:
            self._early.append((place, parts))
            sizes = [early.body.nbytes for origin, early in self._early if origin == place]
            if len(sizes) > EARLY_FRAMES or sum(sizes) > EARLY_VECTORS * 4 * self.run_.largest:
                self._early.pop()
                raise PeerError("flood", "too much before the first round")
            return
        frame = decode(parts.head[: HEADER.size], parts.head[HEADER.size :], parts.body, largest=self.run_.largest)
        message, beyond = frame.message, frame.beyond[1:]
        admission.check_frame(self.run_, place, frame)
        node = self.nodes.get(frame.beyond[0])
        if node is None:
            raise PeerError("wrong receiver", f"a message for nodes {frame.beyond}")
        further = any(one != node.id for one in beyond)
        handed_on = self._may_be_handed_on(message)
        if message.origin != frame.sender or further or handed_on:
            self._seals.check(message, parts.body, parts.seal, keep=further or handed_on)
        if frame.vector is not None:
            admission.check_room(node.mailbox, message, parts.body.nbytes)
            message.payload = Handle(self.vectors.from_numpy(frame.vector))
        node.deliver(frame.sender, message, beyond, frame.ticket)

    def _may_be_handed_on(self, message: Message) -> bool:
        """Whether a message straight from its origin may go on all the same: an update that comes late, to the aggregator there is then."""
        return self.run_.forwards and isinstance(message, Update)

    def connected(self, place: int) -> None:
        """A link is (again) there: send what is not acknowledged, and ask for what was lost."""
        if place != self.links.mine:
            self.watch.connected(place)
            self._company.failed.discard(place)
        there = set(self.run_.places[place])
        for node in self._all_nodes:
            assert node.delivery is not None
            for peer in sorted(there & node.delivery.links.keys()):
                node.greet(peer)
                node.repeat(peer)

    def leave_out(self, nodes: Iterable[NodeId]) -> None:
        """Let none of our nodes wait for `nodes`."""
        gone = list(nodes)
        for node in self._all_nodes:
            if node.flows:
                node.leave_out(gone)

    def heard(self, place: int, word: Word) -> None:
        """A word between hosts."""
        if word.topic == FAILED:
            text = word.content[:FAILURE_LETTERS].decode(errors="replace")
            log.error("%s has failed: %s", self.run_.places[place], text)
            self._company.failed.add(place)
            self.watch.failed(self.run_.places[place], text)
        elif word.topic == TROUBLED:
            self.watch.troubled(self.run_.places[place], word.content[:FAILURE_LETTERS].decode(errors="replace"))
        else:
            self.watch.word(place, word)

    def asked(self, word: Word) -> Word:
        """The authority asks."""
        return self.watch.asked(word)

    def refused(self, place: int, problem: PeerError) -> None:
        """The links have refused something."""
        self.watch.refused(self.mine[0], self.run_.places[place][0], problem.reason, 0)

    def cut_off(self, place: int, problem: PeerError) -> None:
        """Nobody waits for the nodes of a place that was cut off, and nothing is kept for them."""
        self.watch.cut_off(self.run_.places[place], str(problem))
        self.leave_out(self.run_.places[place])

    # ---- what nodes ask for

    def transmit(self, node: Node, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...], ticket: Ticket) -> None:
        """Onto the link of each receiver's place; to a node of this very place by way of the same bytes."""
        vector = None if message.payload is None else self.vectors.to_numpy(message.payload.value)
        for receiver in to:
            head, body = encode(self.run_.number, node.id, message, (receiver, *beyond), ticket, vector)
            place, own = self._place_of[receiver], message.origin == node.id
            if self._excluded(receiver):
                assert node.delivery is not None
                node.delivery.link(receiver).outbox.clear()
                continue
            on_its_way = not own or any(further != receiver for further in beyond) or self._may_be_handed_on(message)
            seal = self._seals.of(message, body, own=own) if on_its_way else b""
            if place == self.links.mine:
                self._loop.call_soon(self.arrived, place, Parts(head, seal, memoryview(bytearray(body))))
            elif not self.links.send(place, Outgoing(head, seal, body)):
                continue
            self.watch.sent(node.id, receiver, message, len(head) + len(body))

    def submit(self, node: Node, flow: int, token: int, job: Job[Any]) -> None:
        """The job's answer comes when it is done; if it fails, so does the node."""
        self.watch.job(node.id, job)

        def done() -> None:
            if self.nodes.get(node.id) is node:
                node.answer(flow, token, job.outputs)

        self._run(node, job, done)

    def _run(self, node: Node, job: Job[Any], done: Callable[[], None]) -> None:
        self._jobs.begin(job, done, lambda problem: self.finished(node, None, problem))

    def after(self, node: Node, seconds: float, flow: int, token: int) -> None:
        """A timer."""
        self._timers.after(seconds, partial(node.ring, flow, token))

    def inspect(self, node: Node, handle: Handle) -> Any:  # noqa: ARG002 - part of the driver's interface
        """Jobs have run when they answer, so values are there."""
        return handle.value

    def keep(self, node: Node, state: Any) -> bool | None:
        """The whole node goes to the disk, and is there when this returns; where it has no room, the node waits until it has."""
        if self._seals.kept:
            self._seals.forget_all_but(message for one in self._all_nodes for message in on_their_way(one))
        problem = self._checkpoints.keep(node)
        self._trouble(node, problem and f"no room on its disk, so it waits: {problem}")
        if problem:
            self._loop.call_later(ROOM_SECONDS, self._keep_again, node)
            return None
        self.watch.state(node.id, state)
        return self._go_on(state)

    def _keep_again(self, node: Node) -> None:
        for flow in list(node.flows.values()):
            if flow.number in node.flows and isinstance(flow.effect, Checkpoint):  # the end of one may have ended others
                node.perform_again(flow, flow.effect)

    def _trouble(self, node: Node, problem: str) -> None:
        """Let everybody know why a node does not go on, and when it does again."""
        if self._troubled.get(node.id, "") == problem:
            return
        self._troubled[node.id] = problem
        log.log(logging.ERROR if problem else logging.INFO, "node %s: %s", node.id, problem or "there is room again, it goes on")
        self.watch.troubled((node.id,), problem)
        for place in self.links.peers:
            self.links.say(place, Word(TROUBLED, problem[:FAILURE_LETTERS].encode()))

    def note(self, node: Node, what: Any) -> None:
        """Facts go to whoever watches; refusals, too."""
        match what:
            case Report():
                self._run(node, what.job, lambda: self.watch.facts(node.id, what.round, what.job.outputs.facts.value))
            case Note():
                self.watch.facts(node.id, what.round, what.facts.value)
            case Event():
                self.watch.happened(node.id, what.what, what.detail)
            case Refusal():
                self.watch.refused(node.id, what.sender, what.problem.reason, what.message.round)
                place = self._place_of[what.sender]
                if place != self.links.mine:
                    self._loop.call_soon(self.links.count, place, what.problem)

    def broke(self, problem: BaseException) -> None:
        """Nothing that runs here can go on: a bug of our own in the driver or the protocol, or nobody is left."""
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
