"""A federation as processes on this machine, over loopback: some nodes in each, one job at a time in each.

They are forked from one process that is ready to work, before any thread or gRPC starts in it. Each has an identity of its own,
made up on the spot, and talks to the others under mutual TLS as nodes on different machines would.
"""

import asyncio
import fcntl
import multiprocessing
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import RunError, ScenarioError
from coterie.core.ids import NodeId
from coterie.core.jobs import Executor
from coterie.federation.effects import Flow
from coterie.federation.federation import Federation
from coterie.federation.flows.participate import participate
from coterie.federation.membership import Membership
from coterie.federation.state import RoundState
from coterie.runtime.authority import Trial
from coterie.runtime.host import Outcome, Vectors
from coterie.runtime.identity import private_folder
from coterie.runtime.simulated_only import faults
from coterie.runtime.taking_part import PATIENCE_SECONDS, Part, part_of, take_part
from coterie.runtime.watch import Watch
from coterie.runtime.watching import Event, Piped
from coterie.scenario.setup import Setup

if TYPE_CHECKING:
    from coterie.runtime.transport.links import Links

STOPPING_SECONDS, KILLED_SECONDS, ORPHAN_SECONDS, TURN_SECONDS = 3.0, 0.2, 1.0, 15.0
"""How long processes have to end; how often it is looked whether one that was killed is there again, and whether one is an orphan; and
how long to wait for another process in the same folder to end."""
PATIENT = Membership(interval_seconds=60.0, deadline_seconds=PATIENCE_SECONDS)
"""Who waits so long for a node in silence waits, as far as models go, for all."""


class RunFailed(RunError):
    """A node or a whole process of a local federation failed; says which, with its traceback."""


@dataclass(frozen=True)
class LocalFederation:
    """What every process needs.

    initial: the first published vector. rounds: how many. executor: makes what runs jobs, in the process that uses it.
    run: sets this run's messages apart. flow: what every node does.
    """

    federation: Federation
    initial: NDArray[np.float32]
    rounds: int
    executor: Callable[[], Executor]
    vectors: Vectors
    run: int = 1
    flow: Callable[..., Flow[RoundState]] = participate

    @classmethod
    def of(cls, setup: Setup, secret: Callable[[int], bytes] | None = None) -> "LocalFederation":
        """The federation of a scenario; raises ScenarioError for what only a simulation can bring about.

        secret: of each node, what its private draws are keyed by; by default derived from the seed, as the simulator does. By
        default nobody goes on without a node that is only slow: that a process has ended is seen by the one that started it.
        """
        import torch

        from coterie.learning import executors

        if found := list(faults(setup.scenario)):
            raise ScenarioError(*found)
        bench, federation = setup.bench("exact"), setup.federation
        if secret is not None:
            bench = replace(bench, secret=secret)
        if federation.membership is None:
            federation = replace(federation, membership=PATIENT)
        return cls(
            federation,
            setup.initial,
            setup.scenario.until.rounds,
            partial(executors.build, "inline", lambda: bench),
            Vectors(executors.to_numpy, torch.from_numpy),
            int(setup.scenario.digest[:15], 16),
        )

    def part(self, places: tuple[tuple[NodeId, ...], ...]) -> Part:
        """What a process that takes part must know, where nodes are at `places`."""
        return part_of(self.federation, self.initial, self.vectors, places, number=self.run, rounds=self.rounds, flow=self.flow)


@dataclass
class NodeResult:
    """How one node ended: after so many rounds, with this vector. facts: (round, facts) that it reported; refused: why, for each."""

    rounds: int = 0
    vector: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    facts: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class LocalProcesses:
    """The processes of a local federation: `start`, perhaps `kill` and `restart` one, then `results`.

    folder: where nodes keep checkpoints; without one a process that dies cannot come back. As a context manager it leaves no
    process behind. prepare: called in each new process, with the folder of its own. dialled: the address that others dial for each
    place, where that is not the one it listens at; None where it cannot be dialled. trial: who everybody is, if that is not made up anew.
    """

    def __init__(
        self,
        what: LocalFederation,
        processes: int,
        folder: Path | None = None,
        prepare: Callable[[Path], None] = lambda _: None,
        *,
        dialled: Callable[[int, str], str | None] = lambda _, listens: listens,
        trial: Trial | None = None,
    ) -> None:
        self.what, self.folder, self._prepare = what, folder, prepare
        places = shared_out(what.federation.nodes, processes)
        self._ports = reserved(len(places))
        self.addresses = [f"127.0.0.1:{port.getsockname()[1]}" for port in self._ports]
        self.dialled = [dialled(place, address) for place, address in enumerate(self.addresses)]
        self.trial = trial or Trial.of(places, self.dialled)
        self.part = what.part(places)
        self._context, self._parent = multiprocessing.get_context("fork"), os.getpid()
        self._processes: list[BaseProcess | None] = [None] * len(places)
        self._pipes: list[Connection | None] = [None] * len(places)
        self._killed: set[int] = set()
        self._lost: set[int] = set()

    @property
    def places(self) -> tuple[tuple[NodeId, ...], ...]:
        """The nodes of each process."""
        return self.part.run.places

    def start(self) -> None:
        """Begin all."""
        for place in range(len(self.places)):
            self.restart(place)

    def restart(self, place: int) -> None:
        """Begin the process at `place` (again)."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=self._child, args=(place, theirs, ours), daemon=True, name=f"place {place}")
        process.start()
        theirs.close()
        self._processes[place], self._pipes[place] = process, ours
        self._killed.discard(place)

    def kill(self, place: int) -> None:
        """`kill -9`, and wait until it is gone; whoever waits for its result waits until it is restarted and has one."""
        self._killed.add(place)
        self._pipes[place] = None
        process = self._running(place)
        process.kill()
        process.join()

    def lose(self, place: int) -> None:
        """`kill -9` for good: nobody waits for its result."""
        self.kill(place)
        self._lost.add(place)

    def signal(self, place: int, number: signal.Signals) -> None:
        """Send the process at `place` a signal."""
        os.kill(self.pid(place), number)

    def pid(self, place: int) -> int:
        """Which process it is."""
        pid = self._running(place).pid
        assert pid is not None
        return pid

    def _running(self, place: int) -> BaseProcess:
        process = self._processes[place]
        assert process is not None, "it was not started"
        return process

    def results(self, timeout_seconds: float = 120.0, tell: Callable[[Event], None] | None = None) -> dict[int, NodeResult]:
        """Wait for all; raises RunFailed with the traceback of who failed, TimeoutError when nothing is heard for too long.

        tell: is told every event, as it comes.
        """
        found = {int(node): NodeResult() for nodes in self.places for node in nodes}
        pending = {place for place, pipe in enumerate(self._pipes) if pipe is not None} | self._killed
        give_up = time.monotonic() + timeout_seconds
        while pending := pending - self._lost:
            if time.monotonic() > give_up:
                raise TimeoutError(f"processes {sorted(pending)} gave no result in {timeout_seconds:g} s")
            pipes = {pipe: place for place in pending if (pipe := self._pipes[place]) is not None}
            for ready in wait(list(pipes), KILLED_SECONDS):
                assert isinstance(ready, Connection)
                place = pipes[ready]
                try:
                    kind, content = ready.recv()
                except (EOFError, OSError):
                    if self._pipes[place] is ready:
                        raise RunFailed(f"process {place} died without a result") from None
                    continue  # it was killed from here
                if kind == "failed":
                    raise RunFailed(content)
                if kind == "events":
                    _note(found, content, tell)
                    continue
                pending.discard(place)
                for node, (rounds, vector) in content.items():
                    found[node].rounds, found[node].vector = rounds, vector
        return found

    def stop(self) -> None:
        """End every process that still runs, first with a request and then without."""
        running = [process for process in self._processes if process is not None and process.is_alive()]
        for process in running:
            process.terminate()
        give_up = time.monotonic() + STOPPING_SECONDS
        for process in running:
            process.join(max(0.0, give_up - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for port in self._ports:
            port.close()

    # ---- in the child

    def _child(self, place: int, pipe: Connection, parents: Connection) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it, too, and ends us
        for other in (parents, *self._pipes):
            if other is not None:
                other.close()
        self.trial = self.trial.only(place)
        try:
            outcome = asyncio.run(self._take_part(place, pipe))
            if outcome.problems:
                pipe.send(("failed", told(outcome.problems.items())))
            else:
                pipe.send(("done", {int(me): self._result(outcome, me) for me in self.places[place]}))
        except asyncio.CancelledError:
            pass  # it was asked to stop
        except Exception:  # noqa: BLE001 - the parent tells it
            pipe.send(("failed", f"process {place} failed:\n{traceback.format_exc()}"))
        finally:
            pipe.close()

    async def _take_part(self, place: int, pipe: Connection) -> Outcome:
        me = asyncio.current_task()
        assert me is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
        folder = self.folder_of(place)
        if folder is not None:
            private_folder(folder)
            await alone_in(folder)
            self._prepare(folder)
        orphaned = asyncio.get_running_loop().create_task(self._end_with_its_parent(me))
        watch = Piped(pipe, me.cancel)
        executor = self.what.executor()
        try:
            outcome = await self._in_place(place, folder, executor, watch)
        finally:
            orphaned.cancel()
            executor.close()
        watch.flush()
        return outcome

    async def _end_with_its_parent(self, me: "asyncio.Task[Any]") -> None:
        while os.getppid() == self._parent:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(ORPHAN_SECONDS)
        me.cancel()

    async def _in_place(self, place: int, folder: Path | None, executor: Executor, watch: Watch) -> Outcome:
        """What the process at `place` does."""
        return await take_part(self.part, self._links(place), executor, folder, watch, lambda state: state.round < self.what.rounds)

    def _links(self, place: int) -> "Links":
        from coterie.runtime.transport.links import Links  # brings gRPC, so not before the fork

        run, credentials = self.part.run, self.trial.credentials[place]
        assert credentials is not None
        return Links(
            credentials,
            self.trial.register,
            run.places,
            place,
            run=run.number,
            largest=run.largest,
            listen=self.addresses[place],
            share_port=True,
            addresses=self.dialled,
        )

    def folder_of(self, place: int) -> Path | None:
        """Where the process at `place` keeps what it must not lose."""
        return None if self.folder is None else self.folder / f"node-{self.places[place][0]}"

    def _result(self, outcome: Outcome, me: NodeId) -> tuple[int, NDArray[np.float32]]:
        state = outcome.results[me]
        return state.round, np.array(self.what.vectors.to_numpy(state.model.value))


def _note(found: dict[int, NodeResult], events: list[Event], tell: Callable[[Event], None] | None) -> None:
    for event in events:
        if event[0] == "facts":
            found[event[1]].facts.append((event[2], event[3]))
        elif event[0] == "refused":
            found[event[1]].refused.append(event[3])
        if tell is not None:
            tell(event)


async def alone_in(folder: Path) -> None:
    """Wait until no other process works in `folder`, and keep others from it as long as this one lives; raises RunError."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    give_up = time.monotonic() + TURN_SECONDS
    while True:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() > give_up:
                raise RunError(f"another process works in {folder}: end it first") from None
            await asyncio.sleep(KILLED_SECONDS)
        else:
            return


def shared_out(nodes: int, processes: int) -> tuple[tuple[NodeId, ...], ...]:
    """The nodes of each of so many places, in order, as evenly as can be."""
    count = min(nodes, processes)
    places: list[list[NodeId]] = [[] for _ in range(count)]
    for node in range(nodes):
        places[node * count // nodes].append(NodeId(node))
    return tuple(map(tuple, places))


def reserved(count: int) -> list[socket.socket]:
    """Sockets that keep free loopback ports for processes of this user: they are bound, and listen to nothing."""
    found = []
    for _ in range(count):
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        one.bind(("127.0.0.1", 0))
        found.append(one)
    return found


def told(problems: Iterable[tuple[NodeId, BaseException]]) -> str:
    """Why nodes failed, each with its traceback where that says more."""
    return "\n".join(
        f"node {node} failed: {problem}"
        if isinstance(problem, RunError)
        else f"node {node} failed:\n{''.join(traceback.format_exception(problem))}"
        for node, problem in problems
    )
