"""The jobs of one place: one after the other, in a thread of their own, so that messages flow meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from coterie.core.jobs import Executor, Job


class Jobs:
    """Those that `executor` runs."""

    def __init__(self, executor: Executor) -> None:
        self._executor, self._thread = executor, ThreadPoolExecutor(1, thread_name_prefix="jobs")
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        """Whether any is under way or waits for its turn."""
        return bool(self._tasks)

    def begin(self, job: Job[Any], done: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        """Have a job done, and say so, in the loop's thread."""
        task = asyncio.get_running_loop().create_task(self._run(job, done, failed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, job: Job[Any], done: Callable[[], None], failed: Callable[[Exception], None]) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._executor.run, [job])
        except Exception as problem:  # noqa: BLE001 - the node's failure, not the host's
            failed(problem)
        else:
            done()

    async def end(self, *, wait: bool) -> None:
        """Nobody hears of a job any more. wait: for the one that is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._thread.shutdown(wait=wait)
