"""Jobs in a pool of persistent, single-threaded worker processes that share memory with this one.

Rule 1: data is inherited (fork) or loaded once by each worker; models live in shared memory; what goes through a pipe is where
things are. Rule 2: which worker runs a job, and how many there are, never changes a bit of its result. Rule 3: a worker that
dies is replaced and its jobs are run again; only a job that kills worker after worker is an error.
"""

import contextlib
import multiprocessing
import os
import pickle
import selectors
import sys
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from coterie.core.errors import ScenarioError
from coterie.core.jobs import Handle, Job, JobFailed
from coterie.learning.bench import Bench
from coterie.learning.executors import cores
from coterie.learning.executors.arena import Arena, Region, Row
from coterie.learning.executors.inline import value_of
from coterie.learning.executors.orders import Failure, Making, Piece, cut
from coterie.learning.executors.worker import Place, serve

AHEAD_BYTES = 1 << 14
"""An order is sent ahead, before the one before it is answered, if it is small enough for the pipe to hold it."""


@dataclass(eq=False)
class Slot:
    """A worker's place in the pool. live, freed: rows of its region in use, and those it has not yet been told are not."""

    number: int
    process: Any = None
    pipe: Connection | None = None
    sent: deque[Piece] = field(default_factory=deque)
    live: dict[int, Row] = field(default_factory=dict)
    freed: list[Row] = field(default_factory=list)

    def gone(self, row: Row) -> None:
        """A row of this worker's is in use no more."""
        self.live.pop(row.start, None)
        self.freed.append(row)


class Processes:
    """The pool. Workers are started at once, so before threads are; values of handles stay readable after `close`."""

    def __init__(self, make_bench: Callable[[], Bench], workers: int | None = None, start: Literal["fork", "spawn"] | None = None) -> None:
        if not hasattr(os, "fork"):
            raise ScenarioError.at("executor", "worker processes need a POSIX system", "use inline")
        count = workers or cores()
        method = start or ("fork" if sys.platform == "linux" else "spawn")  # elsewhere, forking is not safe beside system libraries
        self._fork = method == "fork"
        self._context: Any = multiprocessing.get_context(method)
        bench = make_bench()
        self._making = Making.of(make_bench, bench)
        if self._fork:
            bench.warm()
        self._make_bench: Callable[[], Bench] = (lambda: bench) if self._fork else self._making
        self._arena = Arena(count + 1)
        self._own = Region(self._arena, count)
        self._slots = [Slot(number) for number in range(count)]
        self._finish = weakref.finalize(self, _end, self._slots)
        for slot in self._slots:
            self._start(slot)

    # ---- vectors

    def put(self, array: np.ndarray) -> Handle:
        """A handle to a copy of `array` (n,) as float32, in shared memory."""
        return Handle(self._shared(torch.from_numpy(np.array(array, dtype=np.float32))))

    def _shared(self, vector: Tensor) -> Tensor:
        if not vector.numel():
            return torch.empty(0)
        row = self._own.allocate(vector.numel())
        self._arena.view(row).copy_(vector)
        return self._arena.owned(row, self._own.free)

    def _where(self, handle: Handle | None) -> Any:
        """The value of an input as it is sent; a vector from elsewhere is put into shared memory first."""
        vector = value_of(handle)
        if not isinstance(vector, Tensor):
            return vector
        if not vector.numel():
            return Row(0, 0)
        row = self._arena.find(vector)
        if row is None:
            assert handle is not None
            handle.value = self._shared(vector)
            row = self._arena.find(handle.value)
        return row

    # ---- running

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Runs mutually independent jobs; raises JobFailed once all that was begun has ended."""
        waiting = cut(jobs, len(self._slots), self._making.batching)
        failure: JobFailed | None = None
        try:
            with selectors.DefaultSelector() as ready:
                for slot in self._slots:
                    self._watch(ready, slot)
                while waiting or any(slot.sent for slot in self._slots):
                    self._hand_out(waiting)
                    for key, _ in ready.select():
                        failure = self._receive(key.data, waiting, ready) or failure
                        if failure is not None:
                            waiting.clear()
        except BaseException:
            self._abandon()
            raise
        if failure is not None:
            raise failure

    def _hand_out(self, waiting: "deque[Piece]") -> None:
        """Gives idle workers an order each, then one ahead to each where that cannot block."""
        for ahead in (False, True):
            for slot in self._slots:
                if waiting and len(slot.sent) == ahead:
                    order = self._order(slot, waiting[0])
                    if ahead and len(order) > AHEAD_BYTES:
                        continue
                    slot.sent.append(waiting.popleft())
                    assert slot.pipe is not None
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it died: reading will say so
                        slot.pipe.send_bytes(order)

    def _order(self, slot: Slot, piece: Piece) -> bytes:
        where: dict[Handle | None, Any] = {}  # most calls have the same model: it is looked up once, and pickled once
        for job in piece.jobs:
            for handle in job.inputs:
                if handle not in where:
                    where[handle] = self._where(handle)
        calls = [(tuple([where[handle] for handle in job.inputs]), job.args, job.node, job.round) for job in piece.jobs]
        freed, slot.freed = slot.freed, []
        return pickle.dumps((freed, piece.function, calls))

    def _receive(self, slot: Slot, waiting: "deque[Piece]", ready: selectors.BaseSelector) -> JobFailed | None:
        """Takes a worker's answer; gives the failure if it is one."""
        assert slot.pipe is not None
        try:
            answer = pickle.loads(slot.pipe.recv_bytes())  # noqa: S301 - from our own child
        except (EOFError, ConnectionResetError):
            return self._bury(slot, waiting, ready)
        piece = slot.sent.popleft()
        if isinstance(answer, Failure):
            return answer.raised()
        for job, values in zip(piece.jobs, answer, strict=True):
            for handle, value in zip(job.outputs, values, strict=True):
                handle.value = self._taken(slot, value) if isinstance(value, Row) else value
        return None

    def _taken(self, slot: Slot, row: Row) -> Tensor:
        if not row.size:
            return torch.empty(0)
        slot.live[row.start] = row
        return self._arena.owned(row, slot.gone)

    # ---- workers

    def _start(self, slot: Slot) -> None:
        ours, theirs = self._context.Pipe()
        strangers = [ours, *(other.pipe for other in self._slots if other.pipe is not None)] if self._fork else []
        slot.freed = []
        place = Place(self._arena, slot.number, tuple(slot.live.values()))
        slot.process = self._context.Process(
            target=serve, args=(theirs, place, self._make_bench, strangers), name=f"coterie-worker-{slot.number}", daemon=True
        )
        with warnings.catch_warnings():  # a worker started again, among threads, runs none of their code
            warnings.simplefilter("ignore", DeprecationWarning)
            slot.process.start()
        theirs.close()
        slot.pipe = ours

    def _watch(self, ready: selectors.BaseSelector, slot: Slot) -> None:
        if slot.pipe is None:
            self._start(slot)
        assert slot.pipe is not None
        ready.register(slot.pipe, selectors.EVENT_READ, slot)

    def _bury(self, slot: Slot, waiting: "deque[Piece]", ready: selectors.BaseSelector) -> JobFailed | None:
        """Replaces a worker that died; its jobs wait again, unless the first of them, which it was at, killed too many."""
        assert slot.pipe is not None
        ready.unregister(slot.pipe)
        slot.pipe.close()
        slot.pipe = None
        slot.process.join()
        code, pieces = slot.process.exitcode, list(slot.sent)
        slot.sent.clear()
        self._watch(ready, slot)
        waiting.extendleft(reversed(pieces))
        fate = "was it out of memory?" if code == -9 else "the code it ran ended it"
        return pieces[0].given_up(f"({f'signal {-code}' if code < 0 else f'exit code {code}'}): {fate}") if pieces else None

    def _abandon(self) -> None:
        """Ends workers that are still at something that nobody waits for any more; `run` starts new ones."""
        for slot in self._slots:
            if slot.sent and slot.pipe is not None:
                slot.process.kill()
                slot.process.join()
                slot.pipe.close()
                slot.pipe = None
                slot.sent.clear()

    def close(self) -> None:
        """Ends the workers."""
        self._finish()


def _end(slots: list[Slot]) -> None:
    """Closes the pipes, which ends idle workers; those that do not end at once are killed."""
    for slot in slots:
        if slot.pipe is not None:
            slot.pipe.close()
            slot.pipe = None
    for slot in slots:
        if slot.process is not None and slot.process.is_alive():
            slot.process.join(timeout=1)
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join()
