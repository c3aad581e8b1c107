"""Counts, means and squared deviations of every node, and how those of a federation follow from them.

The combination is exact: Chan, Golub and LeVeque, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances,
1979. What a node would send is three numbers for each column.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coterie.tasks.frame import BLOCK
from coterie.tasks.ragged import Ragged

Table = NDArray[np.float64]


@dataclass(frozen=True)
class Moments:
    """Of every node and column, missing values left out.

    counts, means, squares: (nodes, columns); squares is the sum of squared deviations from the mean. Where the count is 0
    the mean is 0.
    """

    counts: Table
    means: Table
    squares: Table

    @classmethod
    def of(cls, values: NDArray[np.float32], train: Ragged) -> "Moments":
        """The moments of `values` (rows, columns, values of one), whose first rows are the train parts."""
        owners, starts = train.owners, train.offsets[:-1]
        shape = (len(owners), values.shape[1])
        counts, sums, squares = np.empty(shape), np.empty(shape), np.empty(shape)
        for start in range(0, len(owners), BLOCK):
            rows = slice(start, min(start + BLOCK, len(owners)))
            present = ~np.isnan(values[rows])
            counts[rows] = present.sum(axis=2)
            sums[rows] = np.where(present, values[rows], 0).sum(axis=2, dtype=np.float64)
        counts, sums = np.add.reduceat(counts, starts), np.add.reduceat(sums, starts)
        means = sums / np.maximum(counts, 1)
        for start in range(0, len(owners), BLOCK):
            rows = slice(start, min(start + BLOCK, len(owners)))
            deviations = values[rows] - means[owners[rows], :, None]
            squares[rows] = np.where(np.isnan(deviations), 0, deviations**2).sum(axis=2)
        return cls(counts, means, np.add.reduceat(squares, starts))

    def combined(self) -> "Moments":
        """The moments of all nodes together, (1, columns)."""
        counts = self.counts.sum(axis=0, keepdims=True)
        means = (self.counts * self.means).sum(axis=0, keepdims=True) / np.maximum(counts, 1)
        squares = (self.squares + self.counts * (self.means - means) ** 2).sum(axis=0, keepdims=True)
        return Moments(counts, means, squares)

    @property
    def deviations(self) -> Table:
        """The standard deviation of each; 1 where all values are the same, so that one may divide by it."""
        found = np.sqrt(self.squares / np.maximum(self.counts, 1))
        return np.where(found > 1e-12 * np.maximum(abs(self.means), 1e-12), found, 1.0)
