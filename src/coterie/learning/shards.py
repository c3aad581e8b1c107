"""Nodes' samples as tensors of one array, or of a file, and the order in which they are trained on."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from coterie.learning.parts import Batch, Part, Shuffling, block_of, tensor
from coterie.learning.settings import Training
from coterie.tasks.ragged import Ragged, offsets_of
from coterie.tasks.stored import Stored

__all__ = ["Batch", "Passes", "Shards", "Table", "batches", "tensor"]


READ_BYTES = 1 << 26
"""What is read of a file for many nodes at once is at most about this."""
KEPT_BYTES = 1 << 25
"""Parts that are read again and again, as test parts are, stay in memory if they are no more than this."""


class Table(NamedTuple):
    """Samples of some nodes, in memory: inputs (m, numbers), targets (m,), and where they are.

    rows: (which of the nodes, which of its samples), shapes broadcast → rows of the arrays.
    """

    inputs: Tensor
    targets: Tensor
    rows: Callable[[np.ndarray, np.ndarray], np.ndarray]


class Shards:
    """The parts of all nodes: `shards[node]` gives (inputs (n, *features), targets (n,)), views where the part is a run.

    inputs: (N, *features) of all nodes, in memory; or what reads them where they stay in their file, for as long as they are used.
    """

    def __init__(self, inputs: Tensor | Stored, targets: Tensor, parts: Ragged) -> None:
        self._inputs, self._targets, self._parts = inputs, targets, parts
        starts = parts.indices[:1]
        self._runs = np.array_equal(parts.indices, np.arange(len(parts.indices)) + starts) if len(starts) else True
        self._start = int(starts[0]) if len(starts) else 0
        self._kept: dict[int, Batch] = {}

    def __getitem__(self, node: int) -> Batch:
        if isinstance(self._inputs, Stored):
            return self.part(node).take(np.arange(self.size(node)))
        if self._runs:
            first, last = int(self._parts.offsets[node]) + self._start, int(self._parts.offsets[node + 1]) + self._start
            return self._inputs[first:last], self._targets[first:last]
        indices = torch.from_numpy(self._parts[node]).to(self._inputs.device)
        return self._inputs.index_select(0, indices), self._targets.index_select(0, indices)

    def part(self, node: int) -> Part:
        """The node's samples where they stay in their file."""
        assert isinstance(self._inputs, Stored)
        if self._runs:
            first, last = (int(self._parts.offsets[place]) + self._start for place in (node, node + 1))
            return Part(self._inputs, self._targets, range(first, last))
        return Part(self._inputs, self._targets, self._parts[node])

    def batches(self, node: int, passes: "Passes", draw: Callable[[], Shuffling]) -> Iterator[Batch]:
        """The node's batches; see `batches`."""
        if isinstance(self._inputs, Stored) and passes.length < passes.size:
            return self.part(node).batches(passes.length, passes.kept, passes.steps, draw())
        return batches(self[node], passes, draw)

    def pieces(self, node: int, length: int) -> Iterator[Batch]:
        """The node's samples in their order, so many at a time."""
        size = self.size(node)
        if isinstance(self._inputs, Stored):
            if self._kept_whole:
                kept = self._kept.get(node)
                inputs, targets = self._kept[node] = self[node] if kept is None else kept
                return zip(torch.split(inputs, length), torch.split(targets, length), strict=True)
            part = self.part(node)
            return (part.take(np.arange(first, min(first + length, size))) for first in range(0, size, length))
        inputs, targets = self[node]
        return zip(torch.split(inputs, length), torch.split(targets, length), strict=True)

    def table(self, nodes: np.ndarray) -> Table:
        """The samples of `nodes` (k,): all nodes' where those are in memory; else these are read, in one go."""
        if not isinstance(self._inputs, Stored):
            return Table(self._inputs.flatten(1), self._targets, lambda owners, places: self.rows(nodes[owners], places))
        sizes = self.sizes[nodes]
        starts = offsets_of(sizes)[:-1]
        places = np.arange(int(sizes.sum())) - np.repeat(starts, sizes)
        inputs, targets = Part(self._inputs, self._targets, self.rows(np.repeat(nodes, sizes), places)).take(np.arange(len(places)))
        return Table(inputs.flatten(1), targets, lambda owners, places: starts[owners] + places)

    def readings(self, sizes: np.ndarray) -> int:
        """In how many goes the samples of nodes that have `sizes` are best brought into memory."""
        return 1 + int(sizes.sum()) * self._inputs.row_bytes // READ_BYTES if isinstance(self._inputs, Stored) else 1

    def beginning(self, count: int) -> Batch:
        """The first samples of all: inputs (at most `count`, numbers), targets."""
        places = np.arange(min(count, len(self._targets)))
        if isinstance(self._inputs, Stored):
            inputs, targets = Part(self._inputs, self._targets, places).take(places)
            return inputs.flatten(1), targets
        return self._inputs[: len(places)].flatten(1), self._targets[: len(places)]

    @cached_property
    def _kept_whole(self) -> bool:
        """Whether all parts together are small enough to stay in memory once they have been read, and reading them again is slow."""
        stored = self._inputs
        return isinstance(stored, Stored) and not stored.source.gathers and len(self._parts.indices) * stored.row_bytes <= KEPT_BYTES

    @cached_property
    def sizes(self) -> np.ndarray:
        """(nodes,) how many samples each node has."""
        return np.diff(self._parts.offsets)

    def rows(self, nodes: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Where in the array of all samples the samples at `places` within the shards of `nodes` are (shapes broadcast)."""
        found = self._parts.offsets[nodes] + places
        rows: np.ndarray = found + self._start if self._runs else self._parts.indices[found]
        return rows

    def size(self, node: int) -> int:
        """How many samples the node has."""
        return int(self._parts.offsets[node + 1] - self._parts.offsets[node])


class Passes(NamedTuple):
    """How a node goes over its samples.

    size: how many samples it has. length: of a batch. kept: samples of a pass that are trained on, all but a last batch that is
    too small. steps: batches in all, over as many passes as it takes.
    """

    size: int
    length: int
    kept: int
    steps: int

    @classmethod
    def of(cls, size: int, settings: Training, steps: int | None = None, least: int = 1) -> "Passes":
        """Those of the settings, for a node of `size` samples; `steps` comes before the settings' steps, and those before epochs.

        least: the smallest batch that the model can train on; a shard that is itself smaller is one batch all the same.
        Raises ValueError for an empty shard.
        """
        if not size:
            raise ValueError("it has no training samples")
        length = min(size, settings.batch_size or size)
        rest = size % length
        kept = size - rest if 0 < rest < least else size
        steps = settings.steps if steps is None else steps
        return cls(size, length, kept, settings.epochs * -(-kept // length) if steps is None else steps)


def batches(shard: Batch, passes: Passes, draw: Callable[[], Shuffling]) -> Iterator[Batch]:
    """The batches: pass after pass over the shard, each in a new random order, the last batch of a pass as it is left.

    draw: makes the node's own orders for this round. A shard that is one batch is taken as it lies: no order is drawn.
    """
    (inputs, targets), (size, length, kept, steps) = shard, passes
    if length == size:
        for _ in range(steps):
            yield inputs, targets
        return
    block = block_of(length, inputs[0].numel() * inputs.element_size())
    orders = draw()
    while True:
        order = torch.from_numpy(orders.permutation(size)[:kept]).to(inputs.device, non_blocking=True)
        for start in range(0, kept, block):
            chosen = order[start : start + block]
            some, theirs = inputs.index_select(0, chosen), targets.index_select(0, chosen)
            for first in range(0, chosen.shape[0], length):
                yield some[first : first + length], theirs[first : first + length]
                steps -= 1
                if not steps:
                    return
