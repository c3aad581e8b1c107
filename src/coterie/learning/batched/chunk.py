"""What is batched, and how many models at a time."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.learning.layers import Flatten, Linear, Relu
from coterie.learning.losses import CrossEntropy, SquaredError

if TYPE_CHECKING:
    from coterie.learning.bench import Bench

CHUNK_BYTES = 8 << 20
"""Memory that the models of a chunk and their batch go through in a step: a few times what the second-level cache of a core holds."""
ALIGNMENT = 16
"""Numbers (64 bytes): each row of a buffer begins on a cache line."""


def batchable(bench: "Bench") -> bool:
    """Whether local training goes over many nodes at once: dense layers, and nothing of the user's own within a step.

    Convolutions and recurrent layers are products large enough for a core one node at a time, and slower in groups.
    """
    network, optimizer = bench.network, bench.optimizer
    dense = bool(network.stack) and all(isinstance(at.layer, Linear | Relu | Flatten) for at in network.stack)
    known = isinstance(bench.loss, CrossEntropy | SquaredError) and hasattr(optimizer, "step_rows")
    return dense and known and bench.function is None and bench.algorithm.row_by_row()


def chunk_size(bench: "Bench") -> int:
    """How many models make a chunk: as many as CHUNK_BYTES hold, and no more than there is work for in a round.

    A rule from sizes alone: a run that is repeated or resumed, on whatever machine, has the same chunks.
    """
    if bench.chunk is not None:
        return bench.chunk
    length, layers = bench.training.batch_size, bench.network.stack
    batch = int(width(min(length or bench.largest_shard, bench.largest_shard), length))
    sample = math.prod(layers[0].shape) + sum(math.prod(at.layer.output(at.shape)) for at in layers)
    most = max(1, CHUNK_BYTES // (4 * (padded(bench.size) + batch * sample)))
    at_once = min(bench.together or bench.task.nodes, bench.task.nodes)
    return min(most, at_once) if at_once <= most else _even_parts(at_once, most)


def _even_parts(count: int, most: int) -> int:
    """The size of chunks of `count` models, none larger than `most`, an even number of them, so that two workers share evenly."""
    parts = -(-count // most)
    return -(-count // (parts + parts % 2))


def padded(numbers: int) -> int:
    """The length of a row for so many numbers."""
    return -(-numbers // ALIGNMENT) * ALIGNMENT


def width(length: Any, batch_size: int | None) -> Any:
    """The padded length of batches of at most `length` samples (a number, or many): a power of two, or the settings' batch size."""
    power = np.exp2(np.ceil(np.log2(length))).astype(np.int64)
    return power if batch_size is None else np.minimum(power, batch_size)
