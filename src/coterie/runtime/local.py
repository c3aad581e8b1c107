"""A federation as processes on this machine, over loopback: some nodes in each, one job at a time in each.

For trials and tests. There is no identity yet: whoever can connect to the ports can take part, so they are loopback ones.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import RunError, ScenarioError
from coterie.core.ids import NodeId
from coterie.core.jobs import Executor, Handle
from coterie.federation import journal
from coterie.federation.effects import Flow
from coterie.federation.federation import Federation
from coterie.federation.flows.participate import participate
from coterie.federation.flows.relay import relay
from coterie.federation.node import Node
from coterie.federation.state import RoundState
from coterie.runtime.host import Host, Outcome, Roster, Vectors
from coterie.scenario.setup import Setup

PATIENCE_SECONDS, LINGER_SECONDS = 600.0, 5.0


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
    def of(cls, setup: Setup) -> "LocalFederation":
        """The federation of a scenario; raises ScenarioError for a budget that needs somebody who sees all nodes."""
        import torch

        from coterie.learning import executors

        until = setup.scenario.until
        if until.target is not None or until.converged is not None:
            raise ScenarioError.at("until", "nobody sees all nodes' metrics in a federation of processes", "write until: {rounds: …}")
        return cls(
            setup.federation,
            setup.initial,
            until.rounds,
            lambda: executors.build("inline", partial(setup.bench, "exact")),
            Vectors(executors.to_numpy, torch.from_numpy),
            int(setup.scenario.digest[:15], 16),
        )


@dataclass(frozen=True)
class NodeResult:
    """How one node ended: after so many rounds, with this vector. facts: (round, facts) that it reported."""

    rounds: int
    vector: NDArray[np.float32]
    facts: list[tuple[int, dict[str, Any]]]
    refused: list[str]


class LocalProcesses:
    """The processes of a local federation: `start`, perhaps `kill` and `restart` one, then `results`.

    folder: where nodes keep checkpoints; without one a process that dies cannot come back. As a context manager it leaves no
    process behind.
    """

    def __init__(self, what: LocalFederation, processes: int, folder: Path | None = None) -> None:
        self.what, self.folder = what, folder
        nodes = what.federation.nodes
        self._listeners = [_listener() for _ in range(min(processes, nodes))]
        count = len(self._listeners)
        self.roster = Roster(
            run=what.run,
            addresses=tuple(listener.getsockname()[:2] for listener in self._listeners),
            host_of=tuple(node * count // nodes for node in range(nodes)),
            largest=4 * what.initial.size + 4096,
        )
        self._context = multiprocessing.get_context("fork")
        self._processes: list[BaseProcess | None] = [None] * count
        self._pipes: list[Connection | None] = [None] * count

    def start(self) -> None:
        """Begin all."""
        for place in range(len(self._listeners)):
            self.restart(place)

    def restart(self, place: int) -> None:
        """Begin the process at `place` (again)."""
        ours, theirs = self._context.Pipe(duplex=False)
        process = self._context.Process(target=self._child, args=(place, theirs), daemon=True)
        process.start()
        theirs.close()
        self._processes[place], self._pipes[place] = process, ours

    def kill(self, place: int) -> None:
        """`kill -9`, and wait until it is gone."""
        process = self._processes[place]
        if process is not None and process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)
            process.join()

    def results(self, timeout_seconds: float = 120.0) -> dict[int, NodeResult]:
        """Wait for all; raises RunFailed with the traceback of who failed, TimeoutError when it takes too long."""
        found: dict[int, NodeResult] = {}
        pending = {pipe: place for place, pipe in enumerate(self._pipes) if pipe is not None}
        while pending:
            ready = wait(list(pending), timeout_seconds)
            if not ready:
                raise TimeoutError(f"processes {sorted(pending.values())} gave no result in {timeout_seconds:g} s")
            for pipe in ready:
                assert isinstance(pipe, Connection)
                place = pending.pop(pipe)
                try:
                    kind, content = pipe.recv()
                except EOFError:
                    raise RunFailed(f"process {place} died without a result") from None
                if kind == "failed":
                    raise RunFailed(content)
                found.update(content)
        return found

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            if process is not None:
                process.join(timeout=2.0)
                if process.is_alive():
                    process.kill()
                    process.join()
        for listener in self._listeners:
            listener.close()

    # ---- in the child

    def _child(self, place: int, pipe: Connection) -> None:
        try:
            mine = [NodeId(node) for node, host in enumerate(self.roster.host_of) if host == place]
            outcome, facts = asyncio.run(self._take_part(place, mine))
            if outcome.problems:
                pipe.send(("failed", _told(outcome.problems.items())))
            else:
                pipe.send(("done", {int(me): self._result(outcome, me, facts) for me in mine}))
        except Exception:  # noqa: BLE001 - the parent tells it
            pipe.send(("failed", f"process {place} failed:\n{traceback.format_exc()}"))
        finally:
            pipe.close()

    async def _take_part(self, place: int, mine: list[NodeId]) -> tuple[Outcome, list[tuple[NodeId, int, dict[str, Any]]]]:
        what, facts = self.what, []
        federation = replace(what.federation, patience_seconds=PATIENCE_SECONDS)
        executor = what.executor()

        def begin(node: Node) -> None:
            model = Handle(what.vectors.from_numpy(what.initial))
            node.start(what.flow, node.id, federation, federation.initially(node.id, model))

        def flows_of(me: NodeId) -> journal.Build:
            flows: dict[str, Callable[..., Any]] = {what.flow.__name__: what.flow, "relay": relay}
            return lambda name, state: (flows[name], (me, federation, state))

        host = Host(
            self.roster,
            mine,
            executor,
            what.vectors,
            go_on=lambda state: not isinstance(state, RoundState) or state.round < what.rounds,
            staleness_rounds=federation.schedule.staleness_rounds,
            folder=self.folder,
            on_facts=lambda *fact: facts.append(fact),
        )
        try:
            return await host.run(begin, flows_of, self._listeners[place], LINGER_SECONDS), facts
        finally:
            executor.close()

    def _result(self, outcome: Outcome, me: NodeId, facts: list[tuple[NodeId, int, dict[str, Any]]]) -> NodeResult:
        state = outcome.results[me]
        own = [(round, found) for node, round, found in facts if node == me]
        refused = [refusal.problem.reason for refusal in outcome.refusals]
        return NodeResult(state.round, np.array(self.what.vectors.to_numpy(state.model.value)), own, refused)


def _listener() -> socket.socket:
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


def _told(problems: Iterable[tuple[NodeId, BaseException]]) -> str:
    return "\n".join(f"node {node} failed:\n{''.join(traceback.format_exception(problem))}" for node, problem in problems)
