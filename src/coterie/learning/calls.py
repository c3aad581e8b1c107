"""How job functions treat their many calls."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from coterie.core.jobs import Call, JobFailed, JobFunction


def one_by_one(name: str) -> Callable[[Callable[[Any, Call], tuple[Any, ...]]], JobFunction]:
    """Decorator: the job function called `name`, from what one call does. A failure names its job and chains the cause."""

    def wrap(one: Callable[[Any, Call], tuple[Any, ...]]) -> JobFunction:
        @functools.wraps(one)
        def each(bench: Any, calls: Sequence[Call]) -> list[tuple[Any, ...]]:
            found = []
            for call in calls:
                try:
                    found.append(one(bench, call))
                except Exception as error:
                    what = f"{name} of node {call.node} in round {call.round} failed"
                    raise JobFailed(f"{what}: {type(error).__name__}: {error}") from error
            return found

        return each

    return wrap
