"""What preprocessing works on: the samples of all nodes in one array, each node's train part a run of it.

A stage fits on every node's own train part and sees nothing of a node but that. Where a statistic of the whole federation is
wanted it is put together from what nodes would send for it (counts, sums, extremes, lists of categories), never from pooled
samples; the common test set, which is nobody's, is always transformed by that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError, nearest
from coterie.tasks.dataset import Column
from coterie.tasks.ragged import Indices, Ragged

Scope = Literal["node", "federation"]
"""Whose statistics transform a node's samples: its own, or those of all nodes put together."""

BLOCK = 8192
"""Samples transformed at a time; bounds the memory for the statistics of every sample."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The samples of all nodes, and the common test set.

    inputs: (n, *features) float32 (or int64 tokens); the build's own copy, a stage may change it in place.
    targets: (n,).
    common, common_targets: the common test set, likewise.
    train: every node's train part: runs of rows from 0 on, none of them empty.
    owners: (n,), the node of each row.
    columns: the features of a table, where they have names.
    target_offset, target_scale: a target is offset + scale · its value here.
    """

    inputs: NDArray[Any]
    targets: NDArray[Any]
    common: NDArray[Any]
    common_targets: NDArray[Any]
    train: Ragged
    owners: Indices
    columns: tuple[Column, ...] = ()
    target_offset: float = 0.0
    target_scale: float = 1.0

    @property
    def features(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.inputs.shape[1:])

    @property
    def trained(self) -> int:
        """How many rows, from 0 on, are train parts."""
        return int(self.train.offsets[-1])

    def numbers(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Inputs and common inputs as views (samples, columns or channels, values of one); refuses tokens."""
        if self.inputs.dtype != np.float32:
            raise ScenarioError.at("", "tokens are names, not quantities", "take this stage out")
        channels = channels_of(self.features)
        return self.inputs.reshape(len(self.inputs), channels, -1), self.common.reshape(len(self.common), channels, -1)

    def select(self, wanted: Sequence[str | int] | None, *, categorical: bool = False) -> Indices:
        """The indices of the `wanted` columns; None: all that hold quantities (or, `categorical`, categories).

        Raises:
            ScenarioError: there is no such column.
        """
        channels = channels_of(self.features)
        if wanted is None:
            hold = np.zeros(channels, bool)
            hold[: len(self.columns)] = [bool(column.categories) for column in self.columns]
            return np.flatnonzero(hold == categorical)
        names = {column.name: index for index, column in enumerate(self.columns)}
        found = []
        for name in wanted:
            index = names.get(name, -1) if isinstance(name, str) else name
            if not 0 <= index < channels:
                hint = nearest(str(name), names) if isinstance(name, str) and names else f"columns are 0 to {channels - 1}"
                raise ScenarioError.at("columns", f"there is no column {name!r}", hint)
            found.append(index)
        return np.array(sorted(set(found)), dtype=np.int64)

    def train_values(self, columns: Indices) -> NDArray[np.float32]:
        """The train parts' values (trained, c, values of one) in `columns` (c,); a view where that is all of them."""
        values = self.numbers()[0][: self.trained]
        return values if len(columns) == values.shape[1] else values[:, columns]

    def name(self, column: int) -> str:
        """What to call a column in a message."""
        return self.columns[column].name if column < len(self.columns) else f"column {column}"

    def rescale(
        self,
        columns: Indices,
        offsets: NDArray[np.float64],
        scales: NDArray[np.float64],
        common: tuple[NDArray[np.float64], NDArray[np.float64]],
    ) -> None:
        """Replaces x by (x - offset) / scale in `columns` (c,), in place.

        offsets, scales: (nodes, c), or (1, c) for all nodes the same. common: those of the common test set, each (c,).
        """
        inputs, test = self.numbers()
        whose = self.owners if len(offsets) > 1 else np.zeros_like(self.owners)
        low, high = offsets.astype(np.float32), scales.astype(np.float32)
        everything = len(columns) == inputs.shape[1]
        for start in range(0, len(inputs), BLOCK):
            rows = slice(start, start + BLOCK)
            some = inputs[rows] if everything else inputs[rows, columns]
            inputs[rows, slice(None) if everything else columns] = (some - low[whose[rows], :, None]) / high[whose[rows], :, None]
        test[:, columns] = (test[:, columns] - common[0][:, None]) / common[1][:, None]


def channels_of(features: tuple[int, ...]) -> int:
    """How many columns (of a table) or channels (of images: channels, height, width) samples of this shape have."""
    return features[0] if len(features) in (1, 3) else 1
