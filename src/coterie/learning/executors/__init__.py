"""Executors: what runs jobs. All give the same bits in the engine `exact`; they differ in where the work is done.

`inline` runs in this process; `processes` in a pool of persistent single-threaded workers that share memory with this one; `ray`
in such workers on the machines of a Ray cluster.
"""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from coterie.core.errors import ScenarioError, nearest
from coterie.core.jobs import Executor as CoreExecutor
from coterie.core.jobs import Handle

if TYPE_CHECKING:
    import numpy as np

    from coterie.learning.bench import Bench

NAMES = ("inline", "processes", "ray")


class Executor(CoreExecutor, Protocol):
    """An executor that also takes vectors in."""

    def put(self, array: "np.ndarray") -> Handle:
        """A handle to a copy of `array` (n,) as float32, where jobs can reach it."""
        ...


def build(name: str, make_bench: "Callable[[], Bench]", workers: int | None = None, address: str | None = None) -> Executor:
    """The executor called `name`; raises ScenarioError.

    make_bench: makes the bench of a process; picklable, since it may be sent to workers. It is called here once; forked workers share
    what it made. workers: by default as many as there are cores. address: of `ray`, an existing cluster's.
    """
    if name == "inline":
        from coterie.learning.executors.inline import Inline

        return Inline(make_bench())
    if name == "processes":
        from coterie.learning.executors.processes import Processes

        return Processes(make_bench, workers)
    if name == "ray":
        from coterie.learning.executors.ray import Ray

        return Ray(make_bench, workers, address)
    raise ScenarioError.at("executor", f"there is no executor called {name!r}", nearest(name, NAMES))


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def to_numpy(value: Any) -> "np.ndarray":
    """The vector (n,) of a handle or a value as an array, without a copy where it is in this machine's memory."""
    import numpy as np

    found = value.value if isinstance(value, Handle) else value
    return found if isinstance(found, np.ndarray) else found.detach().cpu().numpy()
