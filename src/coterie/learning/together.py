"""What many aggregations of one round have in common: the same models come to many nodes of a graph, and are looked at once."""

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np
from torch import Tensor

from coterie.aggregation.gram import Gram
from coterie.aggregation.points import Points
from coterie.core.jobs import Call
from coterie.learning.finite import finite
from coterie.trust.detection import Found
from coterie.trust.guard import Guard
from coterie.trust.looks import looks
from coterie.trust.seen import Seen

WORTH = 0.5
"""One matrix of inner products of all models is worth it if it is no larger than those of all neighbourhoods together, over this."""

Key = tuple[int, int]


def _key(vector: Tensor) -> Key:
    return vector.data_ptr(), vector.shape[0]


def _in_order(call: Call) -> list[Tensor]:
    """The models of a call by their origins, the node's own among them."""
    vectors, origins = (call.inputs[0], *call.inputs[2 : 2 + len(call.args[1])]), (call.node, *call.args[1])
    return [vectors[place] for place in sorted(range(len(origins)), key=origins.__getitem__)]


class Together:
    """The models that the calls of one job `mix` are about."""

    def __init__(self, calls: Sequence[Call]) -> None:
        each = [_in_order(call) for call in calls]
        self.vectors = {_key(vector): vector for vectors in each for vector in vectors}
        self._each = each
        self._looked: dict[tuple[Key, ...], tuple[Seen, Found]] | None = None
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

    def looked(self, guard: Guard, rows: Sequence[Tensor]) -> tuple[Seen, Found] | None:
        """What is seen and stands out among `rows`; None where that takes a look at losses, or at these rows alone."""
        if self._looked is None:
            self._looked = self._look(guard) if self._dense and not guard.needs_losses else {}
        return self._looked.get(tuple(map(_key, rows)))

    def _look(self, guard: Guard) -> dict[tuple[Key, ...], tuple[Seen, Found]]:
        """All neighbourhoods, those of as many models at once."""
        by_count: dict[int, list[list[Tensor]]] = {}
        for rows in self._each:
            if all(_key(row) in self._places for row in rows):
                by_count.setdefault(len(rows), []).append(rows)
        found: dict[tuple[Key, ...], tuple[Seen, Found]] = {}
        for count, some in by_count.items():
            keys = [tuple(map(_key, rows)) for rows in some]
            grams = [self._at([*(self._places[key] for key in own), len(self._places)]) for own in keys]
            seen = [Seen(Points(rows, None, gram), None, look) for rows, gram, look in zip(some, grams, looks(grams, count), strict=True)]
            found |= dict(zip(keys, zip(seen, guard.detection.found_in(seen), strict=True), strict=True))
        return found

    @cached_property
    def _places(self) -> dict[Key, int]:
        return {key: place for place, key in enumerate(key for key, vector in self.vectors.items() if self.finite(vector))}

    @cached_property
    def _whole(self) -> Gram:
        return Points([self.vectors[key] for key in self._places]).gram

    def _at(self, places: Sequence[int]) -> Gram:
        return self._whole.at(np.array(places))
