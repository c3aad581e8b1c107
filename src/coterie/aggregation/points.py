"""What vector-wise rules look at: n updates and a few other points, known by their distances, joined by weighted sums."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from coterie.aggregation import arrays
from coterie.aggregation.arrays import Array
from coterie.aggregation.gram import BLOCK, PRECISE, Gram, NotFinite


class Points:
    """n updates (d,), then the origin, then the vectors that a rule asked for by name (`own`, `reference`, `start`).

    rows: the updates, a matrix or a sequence of vectors; they are read, never changed nor copied as a whole. named: the others.
    gram: their inner products where they are known already, for `rows`, the origin and `named` in that order. parts: (n,) what part
    each update had in the aggregate, once a rule that is a sum of them has said so. shared: gives `gram` where somebody can.
    """

    def __init__(self, rows: Array | Sequence[Array], named: Mapping[str, Array] | None = None, gram: Gram | None = None) -> None:
        self.model: Array = rows[0]
        self.rows = arrays.host(rows)
        self.count = len(self.rows)
        self.size = int(self.model.shape[0])
        names = dict(named or {})
        for name, vector in names.items():
            if tuple(vector.shape) != (self.size,):
                raise ValueError(f"{name} has the shape {tuple(vector.shape)}, the updates have ({self.size},)")
        self.named = list(arrays.host(list(names.values())))
        self.places = {"origin": self.count} | {name: self.count + 1 + place for place, name in enumerate(names)}
        self.wide = str(self.model.dtype).endswith("float64")
        self.parts: np.ndarray | None = None
        self.shared: Callable[[], Gram] | None = None
        self._settled: np.ndarray | None = None
        if gram is not None:
            self.gram = gram

    @property
    def origin(self) -> int:
        """The place of the point 0."""
        return self.places["origin"]

    @property
    def total(self) -> int:
        """How many points there are."""
        return self.count + 1 + len(self.named)

    @property
    def dtype(self) -> type:
        """What is computed in: float32, or float64 where the updates are."""
        return np.float64 if self.wide else np.float32

    def block(self, start: int, stop: int, dtype: Any = None) -> np.ndarray:
        """The columns start … stop - 1 of the updates (n, b)."""
        return arrays.block(self.rows, start, stop, dtype or self.dtype)

    @cached_property
    def gram(self) -> Gram:
        """The inner products of all points; raises NotFinite."""
        return self._gram(self.wide) if self.wide or self.shared is None else self.shared()

    def _gram(self, precise: bool) -> Gram:
        room: dict[type, np.ndarray] = {}

        def all_points(start: int, stop: int, dtype: type) -> np.ndarray:
            if dtype not in room:
                room[dtype] = np.empty((self.total, min(BLOCK, self.size)), dtype=dtype)
            some = room[dtype][:, : stop - start]
            some[: self.count], some[self.count] = self.block(start, stop, dtype), 0
            if self.named:
                some[self.count + 1 :] = arrays.block(self.named, start, stop, dtype)
            return some

        with np.errstate(invalid="ignore", over="ignore"):
            found = Gram.of(all_points, self.size, self.count, precise)
        if not np.isfinite(found.reach).all():
            self.refuse_non_finite()
        return found

    def refuse_non_finite(self) -> None:
        """Raises NotFinite if an update or a named vector has a number that is not finite."""
        bad = [place for place, row in enumerate(self.rows) if not _finite(row)]
        if bad:
            raise NotFinite(bad)
        for name, place in self.places.items():
            if place > self.count and not _finite(self.named[place - self.count - 1]):
                raise ValueError(f"{name} holds a number that is not finite")

    @cached_property
    def squared(self) -> np.ndarray:
        """(m, m) the squared distances between all points, as exact as they are known."""
        return self.gram.squared

    @cached_property
    def errors(self) -> np.ndarray:
        """(m, m) how far the squared distances may be off."""
        return self.gram.errors

    def settle(self, pairs: Iterable[tuple[int, int]]) -> bool:
        """Makes the distances of `pairs` of points as exact as float64 can; False if they were."""
        settled = self._settled if self._settled is not None else np.full((self.total, self.total), self.wide)
        self._settled = settled
        loose = sorted({(min(pair), max(pair)) for pair in pairs if not settled[pair]})
        if not loose:
            return False
        if len(loose) > self._worth():
            self.sharpen()
        for one, other in loose:
            if self._settled[one, other]:
                continue
            distance = self._distance(one, other)
            for pair in ((one, other), (other, one)):
                self.squared[pair], self.errors[pair], settled[pair] = distance, distance * PRECISE, True
        return True

    def sharpen(self) -> None:
        """Makes all inner products and distances as exact as float64 can."""
        if not self.wide and self.gram.precision > PRECISE:
            self.gram = self._gram(precise=True)
            self.squared, self.errors = self.gram.squared, self.gram.errors
        self._settled = np.full((self.total, self.total), True)

    def _worth(self) -> int:
        """How many distances are computed one by one rather than all anew."""
        return self.count // 2

    def _distance(self, one: int, other: int) -> float:
        total = 0.0
        for start in range(0, self.size, BLOCK):
            first, second = (self._vector(place, start) for place in (one, other))
            total += float(((first - second) ** 2).sum())
        return total

    def _vector(self, place: int, start: int) -> np.ndarray:
        if place == self.origin:
            return np.zeros(1)
        found: np.ndarray = arrays.block([self.vector(place)], start, start + BLOCK, np.float64)[0]
        return found

    def joined(self, shares: np.ndarray) -> Array:
        """The sum (d,) of the points times `shares` (k,), k ≤ m, as a vector like the updates; a single whole point is copied."""
        used = np.flatnonzero(shares).tolist()
        vectors = [self.vector(place) for place in used if place != self.origin]
        kept = [float(shares[place]) for place in used if place != self.origin]
        if not vectors:
            return arrays.like(np.zeros(self.size), self.model)
        if len(vectors) == self.count == len(used) and isinstance(self.rows, np.ndarray):
            return arrays.like(arrays.product(np.asarray(kept), self.rows), self.model)
        return arrays.like(arrays.weighted_sum(vectors, kept), self.model)

    def at(self, places: np.ndarray) -> "Points":
        """With the updates at `places` alone; inner products that are known are not computed again."""
        names = {name: self.named[place - self.count - 1] for name, place in self.places.items() if name != "origin"}
        gram = self.__dict__.get("gram")
        kept = None if gram is None else gram.at(np.concatenate([places, np.arange(self.count, self.total)]))
        found = Points([self.rows[int(place)] for place in places], names, kept)
        found.model = self.model
        return found

    def tell(self, shares: np.ndarray) -> None:
        """Says what part the points have in the aggregate: `shares` (k,), k ≤ m."""
        found = np.zeros(self.count)
        found[: len(shares)] = np.abs(shares[: self.count])
        self.parts = found

    def columns(self, function: Callable[[np.ndarray], np.ndarray], rows: Sequence[int] | np.ndarray | None = None) -> Array:
        """The vector (d,) whose every block is `function` of that block (n, b) of the updates, or of the points at `rows`.

        `function` gives a number that is not finite for a column that holds one. Raises NotFinite.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            found = self._columns(function, rows)
        if not np.isfinite(found).all():
            self.refuse_non_finite()
        return arrays.like(found, self.model)

    def _columns(self, function: Callable[[np.ndarray], np.ndarray], rows: Sequence[int] | np.ndarray | None) -> np.ndarray:
        if rows is None and isinstance(self.rows, np.ndarray) and self.rows.dtype == self.dtype:
            return function(self.rows)
        some = self.rows if rows is None else [self.vector(int(place)) for place in rows]
        found: np.ndarray = np.empty(self.size, self.dtype)
        for start in range(0, self.size, BLOCK):
            found[start : start + BLOCK] = function(arrays.block(some, start, start + BLOCK, self.dtype))
        return found

    def vector(self, place: int) -> Array:
        """The point (d,) at `place`, not the origin."""
        return self.rows[place] if place < self.count else self.named[place - self.count - 1]

    def mixed(self, shares: np.ndarray) -> "Mixed":
        """The points whose updates are sums of these: shares (k, n + 1) over the updates and the origin, rows that add up to 1."""
        return Mixed(self, shares)


class Mixed(Points):
    """Points whose updates are sums of other points; nothing of length d is made until a rule asks for a vector."""

    def __init__(self, base: Points, shares: np.ndarray) -> None:
        self.base, self.model, self.size, self.wide = base, base.model, base.size, base.wide
        self.count = len(shares)
        self.named = base.named
        names = [name for name in base.places if name != "origin"]
        self.places = {"origin": self.count} | {name: self.count + 1 + place for place, name in enumerate(names)}
        self.shares = np.zeros((self.total, base.total))
        self.shares[: self.count, : shares.shape[1]] = shares
        self.shares[self.count :, base.count :] = np.eye(self.total - self.count)
        self.parts = self.shared = self._settled = None

    @property
    def rows(self) -> Any:  # type: ignore[override]
        """The updates one by one, made when they are looked at."""
        return _Made(self)

    def block(self, start: int, stop: int, dtype: Any = None) -> np.ndarray:
        """The columns start … stop - 1 of the updates."""
        below = self.base.block(start, stop, dtype)
        shares, places = self._different
        found: np.ndarray = shares.astype(below.dtype) @ below
        return found if places is None else found[places]

    @cached_property
    def _different(self) -> tuple[np.ndarray, np.ndarray | None]:
        """(shares of the updates below in those that differ from one another, which of these each update is; None: all, in order)."""
        every = self.shares[: self.count, : self.base.count]
        shares, places = np.unique(every, axis=0, return_inverse=True)
        return (every, None) if len(shares) == self.count else (shares, places.reshape(-1))

    def _gram(self, precise: bool) -> Gram:
        if precise and not self.wide:
            self.base.gram = self.base._gram(precise=True)  # noqa: SLF001 - its own kind
        return self.base.gram.mixed(self.shares)

    def _worth(self) -> int:
        return 0

    def refuse_non_finite(self) -> None:
        """Raises NotFinite."""
        self.base.refuse_non_finite()

    def joined(self, shares: np.ndarray) -> Array:
        """The sum (d,) of the points times `shares` (k,), k ≤ m, read from the vectors below."""
        return self.base.joined(shares @ self.shares[: len(shares)])

    def tell(self, shares: np.ndarray) -> None:
        """Of the updates below."""
        self.base.tell(shares @ self.shares[: len(shares)])

    def _columns(self, function: Callable[[np.ndarray], np.ndarray], rows: Sequence[int] | np.ndarray | None) -> np.ndarray:
        found: np.ndarray = np.empty(self.size, self.dtype)
        for start in range(0, self.size, BLOCK):
            some = self.block(start, start + BLOCK)
            if rows is not None:
                named = [arrays.block([vector], start, start + BLOCK, self.dtype)[0] for vector in (0 * self.model, *self.named)]
                some = np.concatenate([some, named])[np.asarray(rows)]
            found[start : start + BLOCK] = function(some)
        return found


def shrinking(lengths: np.ndarray, limit: Any) -> np.ndarray:
    """(n,) what makes `lengths` (n,) no longer than `limit`: min(1, limit / length)."""
    found: np.ndarray = np.divide(limit, lengths, out=np.ones_like(lengths), where=lengths > limit)
    return found


def quotient(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The ratio, and 0 where `below` is 0."""
    found: np.ndarray = np.divide(above, below, out=np.zeros_like(above), where=below > 0)
    return found


class _Made(Sequence[Array]):
    """The updates of mixed points as vectors."""

    def __init__(self, points: Mixed) -> None:
        self.points = points

    def __len__(self) -> int:
        return self.points.count

    def __getitem__(self, place: Any) -> Any:
        if not 0 <= place < self.points.count:
            raise IndexError(place)
        return arrays.host(self.points.base.joined(self.points.shares[place]))


def _finite(row: Array) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        total = float(row.sum())
    return bool(np.isfinite(total)) or bool(np.isfinite(row).all() if isinstance(row, np.ndarray) else row.isfinite().all())
