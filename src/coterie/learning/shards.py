"""Nodes' samples as tensors of one resident array, and the order in which they are trained on."""

import warnings
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from coterie.learning.settings import Training
from coterie.tasks.ragged import Ragged

Batch = tuple[Tensor, Tensor]

BLOCK_BYTES = 1 << 20
"""Samples are gathered in their random order by blocks of about this size, which stay in the cache; batches are views of them."""


class Shards:
    """The parts of all nodes: `shards[node]` gives (inputs (n, *features), targets (n,)), views where the part is a run."""

    def __init__(self, inputs: Tensor, targets: Tensor, parts: Ragged) -> None:
        self._inputs, self._targets, self._parts = inputs, targets, parts
        starts = parts.indices[:1]
        self._runs = np.array_equal(parts.indices, np.arange(len(parts.indices)) + starts) if len(starts) else True
        self._start = int(starts[0]) if len(starts) else 0

    def __getitem__(self, node: int) -> Batch:
        if self._runs:
            first, last = int(self._parts.offsets[node]) + self._start, int(self._parts.offsets[node + 1]) + self._start
            return self._inputs[first:last], self._targets[first:last]
        indices = torch.from_numpy(self._parts[node]).to(self._inputs.device)
        return self._inputs.index_select(0, indices), self._targets.index_select(0, indices)

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


def batches(shard: Batch, passes: Passes, draw: Callable[[], np.random.Generator]) -> Iterator[Batch]:
    """The batches: pass after pass over the shard, each in a new random order, the last batch of a pass as it is left.

    draw: makes the node's own generator for this round. A shard that is one batch is taken as it lies: no order is drawn.
    """
    (inputs, targets), (size, length, kept, steps) = shard, passes
    if length == size:
        for _ in range(steps):
            yield inputs, targets
        return
    block = length * max(1, BLOCK_BYTES // (length * inputs[0].numel() * inputs.element_size()))
    generator = draw()
    while True:
        order = torch.from_numpy(generator.permutation(size)[:kept]).to(inputs.device)
        for start in range(0, kept, block):
            chosen = order[start : start + block]
            some, theirs = inputs.index_select(0, chosen), targets.index_select(0, chosen)
            for first in range(0, chosen.shape[0], length):
                yield some[first : first + length], theirs[first : first + length]
                steps -= 1
                if not steps:
                    return


def tensor(array: np.ndarray, device: str = "cpu") -> Tensor:
    """`array` as a tensor on `device`, sharing memory where it can; nothing here writes to it, so a read-only array will do."""
    with warnings.catch_warnings():  # torch knows no read-only tensors and says so
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable", category=UserWarning)
        with torch.inference_mode(mode=False):  # whoever looks first, also an evaluation: others will train on it
            return torch.from_numpy(array).to(device)
