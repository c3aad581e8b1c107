"""Feature shift by an affine map: every node's instrument has its own gain and offset.

The "sensor" shift of the domain-adaptation literature; for images one gain and offset per channel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coterie.core import draws
from coterie.core.bounds import NonNegative
from coterie.tasks.frame import channels_of
from coterie.tasks.partitions import Of, Placement, partition

BLOCK = 8192
"""Samples changed at a time; bounds the memory for the gains of every sample."""


@partition("affine")
@dataclass(frozen=True)
class Affine:
    """Feature shift: each node sees x · exp(gain · N(0, 1)) + offset · N(0, 1), drawn for each of its features.

    `of` deals the samples. Images have one gain and one offset per channel. The offset is in the units of the inputs before
    any preprocessing.
    """

    of: Of = "iid"
    gain: NonNegative = 0.3
    offset: NonNegative = 0.3

    def shift(self, inputs: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
        """`inputs` (n, *features), changed in place."""
        channels = channels_of(inputs.shape[1:])
        shape = (placement.nodes, channels)
        flat = inputs.reshape(len(inputs), channels, -1)
        with np.errstate(over="ignore", invalid="ignore"):  # what is too large becomes infinite, and the task refuses it
            gains = np.exp(self.gain * draws.public(placement.seed, "partition/gain").standard_normal(shape)).astype(np.float32)
            offsets = (self.offset * draws.public(placement.seed, "partition/offset").standard_normal(shape)).astype(np.float32)
            for start in range(0, len(flat), BLOCK):
                some = placement.owners[start : start + BLOCK]
                block = flat[start : start + BLOCK]
                block *= gains[some, :, None]
                block += offsets[some, :, None]
        return inputs
