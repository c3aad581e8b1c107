"""Jobs one by one, in this process."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from coterie.core.jobs import Call, Handle, Job, JobFailed, resolve
from coterie.learning.bench import Bench
from coterie.learning.shards import tensor


class Inline:
    """Runs jobs where it is called, on one thread of arithmetic."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def put(self, array: np.ndarray) -> Handle:
        """A handle to a copy of `array` (n,) as float32."""
        return Handle(torch.from_numpy(np.array(array, dtype=np.float32)).to(self.bench.device))

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Runs mutually independent jobs; raises JobFailed."""
        with one_thread():
            for name, some in by_function(jobs).items():
                known: dict[tuple[Handle | None, ...], tuple[Any, ...]] = {}  # most trainings have the same inputs
                for job in some:
                    if job.inputs not in known:
                        known[job.inputs] = tuple(map(value_of, job.inputs))
                calls = [Call(known[job.inputs], job.args, job.node, job.round) for job in some]
                for job, values in zip(some, called(name, self.bench, calls), strict=True):
                    for handle, value in zip(job.outputs, values, strict=True):
                        handle.value = value

    def close(self) -> None:
        """Nothing to end."""


def value_of(handle: Handle | None) -> Any:
    """What a job function gets for an input: arrays as tensors, without a copy."""
    value = None if handle is None else handle.value
    return tensor(value) if isinstance(value, np.ndarray) else value


def by_function(jobs: Sequence[Job[Any]]) -> dict[str, list[Job[Any]]]:
    """The jobs of each function, in their order."""
    found: dict[str, list[Job[Any]]] = {}
    for job in jobs:
        found.setdefault(job.function, []).append(job)
    return found


def called(name: str, bench: Bench, calls: Sequence[Call]) -> Sequence[tuple[Any, ...]]:
    """What the job function called `name` gives; raises JobFailed, whatever went wrong."""
    try:
        return resolve(name)(bench, calls)
    except JobFailed:
        raise
    except Exception as error:
        nodes = ", ".join(str(call.node) for call in calls[:10])
        raise JobFailed(f"{name} of nodes {nodes} failed: {type(error).__name__}: {error}") from error


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread of arithmetic while it is open: bits depend on the number of threads, and small models are slower with more."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
