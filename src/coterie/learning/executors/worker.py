"""A worker process: takes calls, leaves results in shared memory, says where they are."""

import contextlib
import pickle
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import torch
from torch import Tensor

from coterie.core.jobs import Call, JobFunction
from coterie.learning.bench import Bench
from coterie.learning.executors.arena import Arena, Region, Row
from coterie.learning.executors.orders import Failure


class Place(NamedTuple):
    """What a worker is started with: the arena, which region is its own, and which rows there are still in use."""

    arena: Arena
    number: int
    rows: tuple[Row, ...]


class Order(NamedTuple):
    """Calls of one job function. Values are rows of the arena, dicts of facts, or None. freed: rows nobody uses any more."""

    freed: list[Row]
    function: JobFunction
    calls: list[tuple[tuple[Any, ...], tuple[Any, ...], int, int]]


def serve(pipe: Connection, place: Place, make_bench: Callable[[], Bench], strangers: Sequence[Connection]) -> None:
    """Answers orders until the other end of `pipe` is closed. strangers: connections of the parent's that a fork brought along."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for stranger in strangers:
        stranger.close()
    torch.set_num_threads(1)
    work = Work(place)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            order = Order(*pickle.loads(pipe.recv_bytes()))  # noqa: S301 - from our own parent
            pipe.send_bytes(pickle.dumps(work.answer(order, make_bench)))


class Work:
    """The worker's own memory of the arena."""

    def __init__(self, place: Place) -> None:
        self.arena, self.region = place.arena, Region(place.arena, place.number)
        for row in place.rows:
            self.region.skip(row)
        self.bench: Bench | None = None
        self._fresh: dict[int, Row] = {}

    def answer(self, order: Order, make_bench: Callable[[], Bench]) -> Any:
        """The results of an order, in the order of its calls, or a Failure."""
        for row in order.freed:
            self.region.free(row)
        try:
            if self.bench is None:
                self.bench = make_bench()
                self.bench.allocate = self._allocate
            known: dict[Any, Any] = {}
            calls = [Call(self._in(inputs, known), args, node, number) for inputs, args, node, number in order.calls]
            return [tuple(map(self._out, values)) for values in order.function(self.bench, calls)]
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent must hear of it
            return Failure.of(error, order.function, [call[2] for call in order.calls])
        finally:
            for row in self._fresh.values():
                self.region.free(row)
            self._fresh.clear()

    def _allocate(self, size: int) -> Tensor:
        row = self.region.allocate(size)
        vector = self.arena.view(row)
        if size:
            self._fresh[row.start] = row
        return vector

    def _in(self, values: tuple[Any, ...], known: dict[Any, Any]) -> tuple[Any, ...]:
        """The inputs of a call; a row that other calls have, too, is one vector for all of them. known: those so far."""
        found = []
        for value in values:
            if not isinstance(value, tuple):
                found.append(value)
                continue
            if value not in known:
                known[value] = self.arena.view(Row(*value))
            found.append(known[value])
        return tuple(found)

    def _out(self, value: Any) -> Any:
        """A result as it is sent: a vector that is not already in a row of this order's own is copied into one."""
        if not isinstance(value, Tensor):
            return value
        if not value.numel():
            return Row(0, 0)
        row = self.arena.find(value)
        if row is None or self._fresh.get(row.start) != row:
            row = self.region.allocate(value.numel())
            self.arena.view(row).copy_(value)
        else:
            del self._fresh[row.start]
        return row
