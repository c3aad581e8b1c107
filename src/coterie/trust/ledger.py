"""What a node keeps of others from round to round: a row of numbers for each, as one flat vector that is checkpointed and handed over.

The vector may come from another node, so that reading it trusts nothing: what is not a ledger is an empty one.
"""

from dataclasses import dataclass

import numpy as np

MOST = 1e6
"""No number in a ledger is larger."""
LARGEST_ID = 2**24
"""Ids are float32 numbers, exact up to here."""


@dataclass(frozen=True, eq=False)
class Ledger:
    """ids: (k,) ascending. rows: (k, w) what is kept of each, finite and not negative."""

    ids: np.ndarray
    rows: np.ndarray

    @classmethod
    def empty(cls, width: int) -> "Ledger":
        """Nobody is known."""
        return cls(np.zeros(0, np.int64), np.zeros((0, width)))

    @classmethod
    def read(cls, vector: np.ndarray | None, width: int, nodes: int) -> tuple["Ledger", np.ndarray]:
        """(the ledger at the head of `vector` (s,), the rest of it); an empty one of what is no ledger of `width` columns."""
        nothing = np.zeros(0, np.float32)
        if vector is None or not len(vector):
            return cls.empty(width), nothing
        count = float(vector[0])
        if not (0 <= count <= nodes and count == int(count)) or len(vector) < 1 + int(count) * (1 + width):
            return cls.empty(width), nothing
        end = 1 + int(count) * (1 + width)
        table = np.asarray(vector[1:end], dtype=np.float64).reshape(int(count), 1 + width)
        ids, rows = table[:, 0], table[:, 1:]
        sound = np.isfinite(table).all() and (rows >= 0).all() and (rows <= MOST).all()
        if not sound or (ids != np.floor(ids)).any() or (np.diff(ids) <= 0).any() or (len(ids) and not 0 <= ids[0] <= ids[-1] < nodes):
            return cls.empty(width), nothing
        return cls(ids.astype(np.int64), rows.copy()), np.asarray(vector[end:])

    def written(self, rest: np.ndarray | None = None) -> np.ndarray:
        """(s,) float32, as `read` takes it."""
        table = np.concatenate([self.ids[:, None].astype(np.float64), np.clip(self.rows, 0, MOST)], axis=1)
        tail = np.zeros(0) if rest is None else rest
        return np.concatenate([[len(self.ids)], table.ravel(), tail]).astype(np.float32)

    def of(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """((n, w) the rows of `ids` (n,), zero where they are not known; (n,) whether they are)."""
        rows = np.zeros((len(ids), self.rows.shape[1]))
        if not len(self.ids):
            return rows, np.zeros(len(ids), bool)
        places = np.minimum(np.searchsorted(self.ids, ids), len(self.ids) - 1)
        known = self.ids[places] == ids
        rows[known] = self.rows[places[known]]
        return rows, known

    def with_rows(self, ids: np.ndarray, rows: np.ndarray) -> "Ledger":
        """With `rows` (n, w) in place of what was kept of `ids` (n,), each of which is there once."""
        if np.array_equal(self.ids, ids):
            return Ledger(ids, rows)
        others = ~np.isin(self.ids, ids)
        every, table = np.concatenate([self.ids[others], ids]), np.concatenate([self.rows[others], rows])
        order = np.argsort(every)
        return Ledger(every[order], table[order])
