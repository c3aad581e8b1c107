"""What many aggregations of one round have in common: the same models come to many nodes of a graph, and are looked at once."""

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
from torch import Tensor

from coterie.aggregation.gram import Gram
from coterie.aggregation.points import Points
from coterie.core.jobs import Call
from coterie.learning.finite import finite

WORTH = 0.5
"""One matrix of inner products of all models is worth it if it is no larger than those of all neighbourhoods together, over this."""

Key = tuple[int, int]


def _key(vector: Tensor) -> Key:
    return vector.data_ptr(), vector.shape[0]


class Together:
    """The models that the calls of one job `mix` are about."""

    def __init__(self, calls: Sequence[Call]) -> None:
        each = [(call.inputs[0], *call.inputs[2 : 2 + len(call.args[1])]) for call in calls]
        self.vectors = {_key(vector): vector for vectors in each for vector in vectors}
        self._finite: dict[Key, bool] = {}
        sizes = {size for _, size in self.vectors}
        self._dense = len(sizes) == 1 and WORTH * len(self.vectors) ** 2 <= sum(len(vectors) ** 2 for vectors in each)

    def finite(self, vector: Tensor) -> bool:
        """Whether all its numbers are finite."""
        key = _key(vector)
        if key not in self._finite:
            self._finite[key] = finite(vector)
        return self._finite[key]

    def share(self, points: Points, rows: Sequence[Tensor], named: Sequence[Tensor]) -> None:
        """Lets `points`, made of `rows` and the vectors `named` in that order, take their inner products from those of all models."""
        keys = [_key(vector) for vector in (*rows, *named)]
        if self._dense and all(key in self._places for key in keys):
            at = [self._places[key] for key in keys]
            points.shared = partial(self._at, [*at[: len(rows)], len(self._places), *at[len(rows) :]])

    @cached_property
    def _places(self) -> dict[Key, int]:
        return {key: place for place, key in enumerate(key for key, vector in self.vectors.items() if self.finite(vector))}

    @cached_property
    def _whole(self) -> Gram:
        return Points([self.vectors[key] for key in self._places]).gram

    def _at(self, places: Sequence[int]) -> Gram:
        return self._whole.at(np.array(places))
