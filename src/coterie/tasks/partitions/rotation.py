"""Feature shift by rotation: every node sees its images turned by its own angle.

The rotated-MNIST recipe of Ghosh et al., An Efficient Framework for Clustered Federated Learning, NeurIPS 2020.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from annotated_types import Gt, Le
from numpy.typing import NDArray

from coterie.core import draws
from coterie.core.bounds import Finite
from coterie.core.errors import ScenarioError
from coterie.tasks.partitions import Of, Placement, partition
from coterie.tasks.ragged import Indices, Ragged


@partition("rotation")
@dataclass(frozen=True)
class Rotation:
    """Feature shift: each node's images turned by its own angle, uniform within ± `degrees`, or its turn of `angles`.

    `of` deals the samples. Pixels are interpolated bilinearly; what comes from outside the image is 0.
    """

    of: Of = "iid"
    degrees: Annotated[float, Gt(0), Le(180)] = 45.0
    angles: tuple[Finite, ...] = ()

    def shift(self, inputs: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
        """The images (n, height, width) or (n, channels, height, width), turned in place; raises ScenarioError for others."""
        if inputs.ndim not in (3, 4):
            raise ScenarioError.at(
                "", f"only images can be turned, these samples have the shape {inputs.shape[1:]}", "take affine or noise"
            )
        height, width = inputs.shape[-2:]
        pixels = inputs.reshape(len(inputs), -1, height * width)
        for mine, angle in zip(Ragged.of(placement.owners, placement.nodes), np.deg2rad(self._angles(placement)), strict=True):
            seen = pixels[mine]
            turned = np.zeros_like(seen)
            for source, weight in _neighbours(angle, height, width):
                turned += seen[:, :, source] * weight
            pixels[mine] = turned
        return inputs

    def _angles(self, placement: Placement) -> NDArray[np.float64]:
        """(nodes,), in degrees."""
        if self.angles:
            return np.resize(np.array(self.angles), placement.nodes)
        return draws.public(placement.seed, "partition/rotation").uniform(-self.degrees, self.degrees, placement.nodes)


def _neighbours(angle: float, height: int, width: int) -> Iterator[tuple[Indices, NDArray[np.float32]]]:
    """For each of the four pixels around where each pixel comes from: its index and its weight, both (pixels,)."""
    y, x = np.divmod(np.arange(height * width), width)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    cos, sin = np.cos(angle), np.sin(angle)
    from_y, from_x = cos * y + sin * x + (height - 1) / 2, cos * x - sin * y + (width - 1) / 2
    top, left = np.floor(from_y), np.floor(from_x)
    for down in (0, 1):
        for right in (0, 1):
            row, column = top + down, left + right
            weight = (1 - abs(from_y - row)) * (1 - abs(from_x - column))
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            yield np.where(inside, row * width + column, 0).astype(np.int64), np.where(inside, weight, 0).astype(np.float32)
