"""Which node's batch is in which slot at which tick: numbers only.

Slots are always all at work: the moment a node is through its steps, the next one takes its slot. So nodes of few and of many
samples share a chunk of constant shape, and little of it ever idles.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coterie.learning.settings import Training

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Course:
    """All batches of n nodes, node by node: s batches in all.

    steps (n,): batches of each node. owner, step, count (s,): whose each batch is, the how many-th of its node, its samples.
    samples (s, width): rows of the samples' array; beyond `count` they are the batch's first sample again.
    """

    steps: Numbers
    owner: Numbers
    step: Numbers
    count: Numbers
    samples: Numbers

    @property
    def width(self) -> int:
        """The padded length of a batch."""
        return int(self.samples.shape[1])


def passes_of(sizes: Numbers, steps: Numbers | None, settings: Training, least: int = 1) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """(n,) each: the samples of a node's batches and of its passes, the batches of a pass, and those of its whole course."""
    length = np.minimum(sizes, settings.batch_size or np.iinfo(np.int64).max)
    rest = sizes % length
    kept = np.where((rest > 0) & (rest < least), sizes - rest, sizes)
    in_pass = -(-kept // length)
    wanted = in_pass * settings.epochs if settings.steps is None else np.full_like(sizes, settings.steps)
    return length, kept, in_pass, wanted if steps is None else np.where(steps > 0, steps, wanted)


def course(
    sizes: Numbers,
    steps: Numbers | None,
    settings: Training,
    *,
    width: int,
    orders: Callable[[Numbers, Numbers], Numbers] | None,
    rows: Callable[[Numbers, Numbers], Numbers],
    least: int = 1,
) -> Course:
    """The batches of n nodes with `sizes` samples, as `shards.batches` makes them one node at a time.

    steps: of each node, 0 for those of the settings; None for those of the settings everywhere. width: of a batch. orders: (nodes,
    passes) → so many random orders of each one's samples, all end to end; None takes samples as they lie. rows: (nodes (s, 1), places
    within their shards) → rows of the array. least: the smallest batch that a pass may end with.
    """
    length, kept, in_pass, steps = passes_of(sizes, steps, settings, least)
    owner = np.repeat(np.arange(len(sizes)), steps)
    step = np.arange(len(owner)) - np.repeat(steps.cumsum() - steps, steps)
    number, place = np.divmod(step, in_pass[owner])
    first = place * length[owner]
    count = np.minimum(length[owner], kept[owner] - first)
    within = np.arange(width)
    places = first[:, None] + np.where(within < count[:, None], within, 0)
    drawn = np.flatnonzero(length < sizes)
    if orders is not None and len(drawn):
        passes = -(-steps // in_pass)
        found = orders(drawn, passes[drawn])
        starts = np.zeros(len(sizes), np.int64)
        lengths = sizes[drawn] * passes[drawn]
        starts[drawn] = lengths.cumsum() - lengths
        random = (length < sizes)[owner]
        at = (starts[owner] + number * sizes[owner])[random, None] + places[random]
        places[random] = found[at]
    return Course(steps, owner, step, count, rows(owner[:, None], places))


@dataclass(frozen=True)
class Turn:
    """Nodes that arrive in their slots before a tick, or leave them after it."""

    slots: Numbers
    nodes: Numbers


@dataclass(frozen=True)
class Timetable:
    """n nodes in `slots` slots. slot, begin (n,): where each is, and from which tick on. steps (n,): for how many ticks."""

    slots: int
    slot: Numbers
    begin: Numbers
    steps: Numbers

    @classmethod
    def of(cls, steps: Numbers, slots: int) -> "Timetable":
        """Longest first, each in the slot that is free first."""
        order = np.argsort(-steps, kind="stable")
        slot, begin = np.empty_like(steps), np.empty_like(steps)
        if len(steps) and steps.min() == steps.max():
            slot[order], begin[order] = np.arange(len(steps)) % slots, np.arange(len(steps)) // slots * steps
            return cls(slots, slot, begin, steps)
        free = [(0, number) for number in range(slots)]
        for node in order.tolist():
            begin[node], slot[node] = free[0]
            heapq.heapreplace(free, (free[0][0] + int(steps[node]), free[0][1]))
        return cls(slots, slot, begin, steps)

    @cached_property
    def ticks(self) -> int:
        """How many there are in all."""
        return int((self.begin + self.steps).max(initial=0))

    def spread(self, course: Course, values: NDArray[np.generic], empty: float) -> NDArray[np.generic]:
        """Values (s, …) of the course's batches as a table (ticks, slots, …), with `empty` where a slot idles."""
        table = np.full((self.ticks, self.slots, *values.shape[1:]), empty, values.dtype)
        table[self.begin[course.owner] + course.step, self.slot[course.owner]] = values
        return table

    def arrivals(self) -> dict[int, Turn]:
        """Tick → who arrives before it."""
        return self._turns(self.begin)

    def departures(self) -> dict[int, Turn]:
        """Tick → who leaves after it."""
        return self._turns(self.begin + self.steps - 1)

    def _turns(self, ticks: Numbers) -> dict[int, Turn]:
        order = np.lexsort((self.slot, ticks))
        starts = np.flatnonzero(np.diff(ticks[order], prepend=-1))
        groups = np.split(order, starts[1:])
        return {int(ticks[nodes[0]]): Turn(self.slot[nodes], nodes) for nodes in groups if len(nodes)}
