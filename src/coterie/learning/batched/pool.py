"""Blocks of rows that are used again and again: fresh memory for a round's models costs more than filling it."""

import weakref
from collections import defaultdict
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from coterie.learning.batched.chunk import ALIGNMENT, padded

IDLE_NUMBERS = 1 << 26
"""Most numbers (256 MiB) that are kept though nobody uses them."""


class Room(NamedTuple):
    """Where results are written. rows: each result. parts: all of them again, as few matrices (k, size) as hold them: which, where."""

    rows: list[Tensor]
    parts: list[tuple[slice, Tensor]]


class Pool:
    """Makes blocks; one whose rows are all gone is used for the next of its size."""

    def __init__(self) -> None:
        self._free: defaultdict[int, list[np.ndarray]] = defaultdict(list)
        self._idle = 0

    def block(self, rows: int, size: int) -> Tensor:
        """Room (rows, size) of no particular values; each row is contiguous and begins on a cache line."""
        length = padded(size)
        total = rows * length
        free = self._free[total]
        if free:
            memory = free.pop()
            self._idle -= total
        else:
            memory = np.empty(total + ALIGNMENT, np.float32)
        numbers = memory[-memory.ctypes.data // 4 % ALIGNMENT :][:total]
        weakref.finalize(numbers, self._back, total, memory).atexit = False
        return torch.from_numpy(numbers).view(rows, length)[:, :size]

    def _back(self, total: int, memory: np.ndarray) -> None:
        if self._idle + total <= IDLE_NUMBERS:
            self._free[total].append(memory)
            self._idle += total
