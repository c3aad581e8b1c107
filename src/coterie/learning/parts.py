"""A node's samples that stay in their file, and the random order in which they come out of it.

Where samples anywhere in the file cost the same (`Source.gathers`), the order is the one that samples in memory have, to the
bit. Where they do not (row groups), it is a shuffle in two steps, anew for each pass: groups in a random order; as many of them
as fit in the memory that was allowed are read, and their samples come out in a random order. A part that fits as a whole is in
the order of samples in memory. Both are the node's own draws, so that a resume repeats them.
"""

import warnings
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from coterie.tasks.files.row_groups import RowGroups
from coterie.tasks.stored import Stored

Batch = tuple[Tensor, Tensor]

BLOCK_BYTES = 1 << 20
"""Samples are gathered in their random order by blocks of about this size, which stay in the cache; batches are views of them."""


def block_of(length: int, sample_bytes: int) -> int:
    """How many samples make a block: whole batches of `length`."""
    return length * max(1, BLOCK_BYTES // (length * sample_bytes))


class Shuffling(Protocol):
    """Makes random orders: `core.draws.Orders`, or a generator of NumPy."""

    def permutation(self, what: int | np.ndarray) -> np.ndarray:
        """The numbers below `what` in a random order, or the elements of `what` (n,)."""
        ...


class Part:
    """Samples at `places` (n,) of those that a task has stored, or at a range of them; targets: (N,) of all of those."""

    def __init__(self, inputs: Stored, targets: Tensor, places: np.ndarray | range) -> None:
        self._inputs, self._targets, self._places = inputs, targets, places

    def take(self, chosen: np.ndarray) -> Batch:
        """The samples numbered `chosen` (m,), in that order: read now."""
        places = self._places.start + chosen.astype(np.int64) if isinstance(self._places, range) else self._places[chosen]
        device = self._targets.device
        return tensor(self._inputs.take(places)).to(device), self._targets[torch.from_numpy(places).to(device)]

    def batches(self, length: int, kept: int, steps: int, orders: Shuffling) -> Iterator[Batch]:
        """So many batches: pass after pass over the part, `kept` samples of each, the last batch of a pass as it is left."""
        while True:
            for inputs, targets in self._whole_batches(self._blocks(orders, length, kept), length):
                last = (len(targets) - 1) // length * length
                for first in range(0, last, length):
                    yield inputs[first : first + length], targets[first : first + length]
                    steps -= 1
                    if not steps:
                        return
                end = inputs[last:].clone(), targets[last:]  # a view would keep the block while the next one is read
                del inputs
                yield end
                steps -= 1
                if not steps:
                    return

    def _blocks(self, orders: Shuffling, length: int, kept: int) -> Iterator[Batch]:
        """The samples of a pass, some at a time."""
        for window in self._windows(orders):
            order = window[:kept]
            kept -= len(order)
            step = block_of(length, self._inputs.row_bytes) if self._inputs.source.gathers else max(1, len(order))
            for first in range(0, len(order), step):
                yield self.take(order[first : first + step])

    def _windows(self, orders: Shuffling) -> Iterator[np.ndarray]:
        """The order of a pass, as much of it at a time as may be in memory."""
        source, size = self._inputs.source, len(self._places)
        if source.gathers or not isinstance(source, RowGroups) or size <= source.window_rows:
            yield orders.permutation(size)
            return
        order, cuts = self._by_group(source)
        waiting: list[np.ndarray] = []
        for number in orders.permutation(len(cuts) - 1).tolist():
            some = order[cuts[number] : cuts[number + 1]]
            if waiting and sum(map(len, waiting)) + len(some) > source.window_rows:
                yield orders.permutation(np.concatenate(waiting))
                waiting = []
            waiting.append(some)
        yield orders.permutation(np.concatenate(waiting))

    def _by_group(self, source: RowGroups) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of all samples, row group by row group (n,), and where in them each of k groups begins (k + 1,)."""
        places = slice(self._places.start, self._places.stop) if isinstance(self._places, range) else self._places
        whose = source.group_of(self._inputs.rows[places]).astype(np.int32)
        order = np.arange(len(whose), dtype=np.int32 if len(whose) < 1 << 31 else np.int64)
        if (whose[1:] < whose[:-1]).any():
            order = np.argsort(whose, kind="stable")
            whose = whose[order]
        return order, np.concatenate([[0], np.flatnonzero(np.diff(whose)) + 1, [len(whose)]])

    @staticmethod
    def _whole_batches(blocks: Iterator[Batch], length: int) -> Iterator[Batch]:
        """The same samples in pieces that are whole batches but for the last: what is left of a piece goes before the next."""
        rest: Batch | None = None
        for inputs, targets in blocks:
            start = 0
            if rest is not None:
                start = length - len(rest[1])
                rest = torch.cat([rest[0], inputs[:start]]), torch.cat([rest[1], targets[:start]])
                if len(rest[1]) == length:
                    yield rest
                    rest = None
            stop = start + max(0, len(targets) - start) // length * length
            if stop > start:
                yield inputs[start:stop], targets[start:stop]
            if stop < len(targets):
                rest = inputs[stop:].clone(), targets[stop:]
            del inputs
        if rest is not None:
            yield rest


def tensor(array: np.ndarray, device: str = "cpu") -> Tensor:
    """`array` as a tensor on `device`, sharing memory where it can; nothing here writes to it, so a read-only array will do."""
    with warnings.catch_warnings():  # torch knows no read-only tensors and says so
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable", category=UserWarning)
        with torch.inference_mode(mode=False):  # whoever looks first, also an evaluation: others will train on it
            return torch.from_numpy(array).to(device)
