"""Feature shift by noise: every node sees its samples through its own noise level.

"Noise-based feature distribution skew" of Li et al., Federated Learning on Non-IID Data Silos, ICDE 2022, with the level
drawn for each node rather than growing with its number, so that a further node changes nobody else's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coterie.core import draws
from coterie.core.bounds import Positive
from coterie.tasks.partitions import Of, Placement, partition

BLOCK = 1024
"""Rows of the data set that share a generator; a row's noise depends on nothing but its number and the seed."""


@partition("noise")
@dataclass(frozen=True)
class Noise:
    """Feature shift: Gaussian noise on each node's samples, its standard deviation uniform between 0 and `level`.

    `of` deals the samples. The level is in the units of the inputs before any preprocessing (images: 0 to 1).
    """

    of: Of = "iid"
    level: Positive = 0.5

    def shift(self, inputs: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
        """`inputs` (n, *features) with the noise added, in place."""
        levels = draws.public(placement.seed, "partition/noise-level").uniform(0, self.level, placement.nodes).astype(np.float32)
        by_row = np.argsort(placement.rows, kind="stable")
        blocks, starts = np.unique(placement.rows[by_row] // BLOCK, return_index=True)
        flat = inputs.reshape(len(inputs), -1)
        for block, some in zip(blocks.tolist(), np.split(by_row, starts[1:]), strict=True):
            luck = draws.public(placement.seed, "partition/noise", block).standard_normal((BLOCK, flat.shape[1]), np.float32)
            flat[some] += luck[placement.rows[some] % BLOCK] * levels[placement.owners[some], None]
        return inputs
