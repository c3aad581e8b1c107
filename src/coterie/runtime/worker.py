"""Jobs in a process of their own: it has torch and the data, can be killed, and leaves the node's process small.

A *launcher*, forked before anything heavy is there, forks a worker when there is a job; a worker that has been without one for a while
ends, and what it took is free again. Node and worker talk over a pipe that only they have: a line of plain data, then each vector raw.
"""

import contextlib
import math
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import cache
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from coterie.core.errors import RunError, ScenarioError
from coterie.core.jobs import Executor, Handle, Job, JobFailed

VECTOR = "vector"
ENDED, FAILED, IDLE = 0, 1, 77
"""How a worker ends: told to, or nobody is there to tell; unable to begin; for want of jobs."""


class WorkerDied(RunError):
    """The job worker ended by itself, perhaps for want of memory."""


class Worker:
    """An executor whose jobs run in processes forked by one that is forked when this is made: before any thread or gRPC starts here.

    make: makes what runs jobs, in the process that does. idle_seconds: how long that process waits for a job before it ends; the next
    job has another started. about: is called once in the first of them, and gives plain data to be had here, as `about`.
    Raises ScenarioError or JobFailed where `make` or `about` fails.
    """

    def __init__(self, make: Callable[[], Executor], idle_seconds: float = math.inf, about: Callable[[], Any] = lambda: None) -> None:
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(target=_launch, args=(theirs, self._pipe, make, idle_seconds, about), daemon=True, name="jobs")
        self.process.start()
        theirs.close()
        (self.about,) = self._answer()

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Run jobs one after the other; raises JobFailed."""
        for job in jobs:
            values = [None if handle is None else handle.value for handle in job.inputs]
            shapes = [("plain", value) if value is None or isinstance(value, dict) else (VECTOR, value.size) for value in values]
            try:
                self._pipe.send((job.function, job.args, job.node, job.round, shapes, type(job.outputs)))
                for value, (kind, _) in zip(values, shapes, strict=True):
                    if kind == VECTOR:
                        _send(self._pipe, value)
            except OSError:
                raise self._died() from None
            for handle, value in zip(job.outputs, self._answer(), strict=True):
                handle.value = value

    def close(self) -> None:
        """End the processes, also in the middle of a job."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        self.process.join(timeout=1.0)
        if self.process.is_alive():
            self.kill()
        self._pipe.close()

    def kill(self) -> None:
        """End them at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        self.process.join()

    def _answer(self) -> list[Any]:
        try:
            kind, content = self._pipe.recv()
            if kind == "done":
                return [_receive(self._pipe, value) if what == VECTOR else value for what, value in content]
        except (EOFError, OSError):
            raise self._died() from None
        if kind == "scenario":
            raise ScenarioError(*content)
        raise JobFailed(content)

    def _died(self) -> WorkerDied:
        self.process.join(timeout=1.0)
        code = self.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
        return WorkerDied(f"the process that runs jobs ended ({how}); if the system killed it, there was not enough memory")


def _launch(pipe: Connection, other: Connection, make: Callable[[], Executor], idle_seconds: float, about: Callable[[], Any]) -> None:
    """In the launcher: a worker now, and one whenever there is an order and none is there; it ends as the last one ended."""
    os.setpgid(0, 0)  # so that it and its worker can be killed together
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    other.close()
    code = _forked(lambda: _serve(pipe, make, idle_seconds, about))
    while code == IDLE and pipe.poll(None):
        code = _forked(lambda: _serve(pipe, make, idle_seconds))
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code)


def _forked(act: Callable[[], int]) -> int:
    """Do something in a process of its own; its exit code, or less than 0 for the signal that ended it."""
    worker = os.fork()
    if worker == 0:
        code = act()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])


def _serve(pipe: Connection, make: Callable[[], Executor], idle_seconds: float, about: Callable[[], Any] | None = None) -> int:
    """In a worker: make what runs jobs, then run them until told to end, or until there was none for a while; its exit code."""
    executor = cache(make)
    if about is not None and not _told(pipe, lambda: [executor() and about()]):
        return FAILED
    with contextlib.suppress(EOFError, OSError):
        while pipe.poll(None if idle_seconds == math.inf else idle_seconds):
            if (order := pipe.recv()) is None:
                return ENDED
            function, args, node, round, shapes, outputs = order
            values = [_receive(pipe, value) if kind == VECTOR else value for kind, value in shapes]
            inputs = tuple(None if value is None else Handle(value) for value in values)
            job: Job[Any] = Job(function, inputs, args, outputs(*(Handle() for _ in outputs._fields)), node=node, round=round)
            _told(pipe, lambda job=job: _done(executor(), job))  # type: ignore[misc]
        return IDLE
    return ENDED


def _done(executor: Executor, job: Job[Any]) -> list[Any]:
    from coterie.learning.executors import to_numpy

    executor.run([job])
    return [handle.value if handle.value is None or isinstance(handle.value, dict) else to_numpy(handle.value) for handle in job.outputs]


def _told(pipe: Connection, act: Callable[[], list[Any]]) -> bool:
    """The answer to one order, whatever comes of it; whether it is a good one."""
    try:
        values = act()
    except ScenarioError as error:
        pipe.send(("scenario", error.faults))
        return False
    except Exception as error:  # noqa: BLE001 - the node tells it
        pipe.send(("failed", f"{error}\n{traceback.format_exc()}"))
        return False
    pipe.send(("done", [(VECTOR, value.size) if isinstance(value, np.ndarray) else ("plain", value) for value in values]))
    for value in values:
        if isinstance(value, np.ndarray):
            _send(pipe, value)
    return True


def _send(pipe: Connection, vector: Any) -> None:
    if vector.size:
        pipe.send_bytes(np.ascontiguousarray(vector, np.float32).data.cast("B"))


def _receive(pipe: Connection, size: int) -> np.ndarray:
    vector = np.empty(size, np.float32)
    if size:
        pipe.recv_bytes_into(vector.data.cast("B"))
    return vector
