"""Samples that stay in their file: read when somebody asks for them, a few at a time.

A `Source` is a file's samples, row by row. `Stored` is what a task has in place of an array: the samples of all nodes in the
order of the nodes, as numbers, with what preprocessing does to them applied to whatever is read.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks.ragged import Indices

Array = NDArray[Any]
Change = Callable[[Array, Indices], Array]
"""`change(samples (m, *features), owners (m,)) -> samples`: what a stage does; it may work in place."""

BLOCK = 2048
"""Samples that are changed at a time; bounds the memory for what is known of each."""
TOGETHER_BYTES = 1 << 20
"""Nodes with no more than this are read many at a time."""


class Source(ABC):
    """Samples in a file: shape (n, *features), dtype as stored.

    gathers: whether samples anywhere in it are read at about the same cost; else those that lie together should be read together.
    fix: what a user writes to have all samples in memory.
    """

    gathers: ClassVar[bool]
    fix: ClassVar[str]

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def itemsize(self) -> int:
        """Bytes of one number."""
        return self.dtype.itemsize

    @property
    def row_bytes(self) -> int:
        """Bytes of one sample."""
        return self.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))

    @abstractmethod
    def take(self, rows: Indices) -> Array:
        """The samples (m, *features) at `rows` (m,), in that order; the caller's own."""

    @abstractmethod
    def blocks(self) -> Iterator[tuple[int, Array]]:
        """All samples in pieces that fit in memory, in the order of the file: (row of the first, samples)."""

    def check_held(self, count: int, what: str, place: str = "", fix: str = "") -> None:  # noqa: B027 - most have no limit
        """Raises ScenarioError, placed, where `count` samples, which are `what`, are more than may be in memory."""

    def whole(self) -> Array:
        """All samples, in memory."""
        return self.take(np.arange(len(self)))


@dataclass(eq=False)
class Stored:
    """The samples of all nodes, in the order of a task: all train parts, then all test parts.

    source: where they are. rows: (n,), which row of it each is. train, test: (nodes + 1,), where the parts of every node begin,
        test parts counted from the first of them.
    scale: numbers become float32 times it. tokens: they become int64 instead.
    shape: (n, *features), after the stages. changes: what the stages do, in order; more may be added (`then`).
    """

    source: Source
    rows: Indices
    train: Indices
    test: Indices
    scale: float
    tokens: bool
    shape: tuple[int, ...]
    changes: list[Change] = field(default_factory=list)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is read: float32, or int64 tokens."""
        return np.dtype(np.int64 if self.tokens else np.float32)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def row_bytes(self) -> int:
        """Bytes of one sample as it is read."""
        return self.dtype.itemsize * int(np.prod(self.shape[1:], dtype=np.int64))

    def __getitem__(self, places: Any) -> Array:
        """Samples (m, *features): at a slice or at an array of places; one sample (*features) at a number."""
        if isinstance(places, slice):
            return self.take(np.arange(*places.indices(len(self))))
        found = self.take(np.atleast_1d(np.asarray(places)))
        return found if np.ndim(places) else found[0]

    def take(self, places: Indices) -> Array:
        """The samples (m, *features) at `places` (m,), in that order; the caller's own."""
        return self._changed_as_read(self.source.take(self.rows[places]), places)

    def _changed_as_read(self, raw: Array, places: Indices) -> Array:
        samples = numbers(raw, self.scale, tokens=self.tokens)
        if self.changes:
            owners = self.owners(places)
            for change in self.changes:
                samples = change(samples, owners)
        return samples

    def blocks(self) -> Iterator[Array]:
        """All samples in pieces, in the order of the file."""
        place = np.full(len(self.source), -1, np.int64)
        place[self.rows] = np.arange(len(self))
        for first, raw in self.source.blocks():
            places = place[first : first + len(raw)]
            ours = places >= 0
            if ours.any():
                yield self._changed_as_read(raw[ours], places[ours])

    def owners(self, places: Indices) -> Indices:
        """The node of each of `places` (m,)."""
        trained = self.train[-1]
        own = [np.searchsorted(offsets, places - first, side="right") - 1 for offsets, first in ((self.train, 0), (self.test, trained))]
        return np.where(places < trained, *own)

    def apart(self, largest: int) -> str:
        """Why nodes with up to `largest` samples are better trained one after the other; empty if their samples can be read together."""
        if not self.source.gathers:
            return "the samples are read row group by row group"
        if largest * self.row_bytes > TOGETHER_BYTES:
            return f"the samples stay in their file, and a node's take up to {largest * self.row_bytes >> 20} MiB"
        return ""

    def then(self, change: Change) -> None:
        """From now on `change` is done, too, to whatever is read."""
        self.changes.append(change)

    def reshape(self, count: int, *features: int) -> "Stored":
        """The same samples with another shape, in C order; one of `features` may be -1."""
        size = int(np.prod(self.shape[1:], dtype=np.int64))
        known = -int(np.prod(features, dtype=np.int64))
        shape = tuple(size // known if axis == -1 else axis for axis in features)
        assert count == len(self)
        return self._changed(shape, lambda samples, _owners: samples.reshape(len(samples), *shape))

    def transpose(self, *axes: int) -> "Stored":
        """The same samples with their axes in another order; the first stays the first."""
        shape = tuple(self.shape[axis] for axis in axes[1:])
        return self._changed(shape, lambda samples, _owners: np.ascontiguousarray(samples.transpose(axes)))

    def copy(self) -> "Stored":
        """Itself: what is read is always the reader's own."""
        return self

    def _changed(self, features: tuple[int, ...], change: Change) -> "Stored":
        return replace(self, shape=(len(self), *features), changes=[*self.changes, change])


class Followed(Stored):
    """The samples of a task that stay in their file, and behind them `more` that are in memory, of the shape that reading gives.

    rows: which row of the file each of `more` goes with, so that it is read when that is.
    """

    def __init__(self, first: Stored, more: Array, rows: Indices) -> None:
        shape = (len(first) + len(more), *first.shape[1:])
        together = np.concatenate([first.rows, rows])
        super().__init__(first.source, together, first.train, first.test, first.scale, first.tokens, shape, first.changes)
        self.first, self.more = first, more

    def take(self, places: Indices) -> Array:
        """The samples (m, *features) at `places` (m,), in that order; the caller's own."""
        behind = places >= len(self.first)
        if not behind.any():
            return self.first.take(places)
        found = np.empty((len(places), *self.shape[1:]), self.dtype)
        found[behind] = self.more[places[behind] - len(self.first)]
        if not behind.all():
            found[~behind] = self.first.take(places[~behind])
        return found

    def blocks(self) -> Iterator[Array]:
        """All samples in pieces, in the order of the file, and then those behind."""
        yield from self.first.blocks()
        yield self.more.copy()


def numbers(samples: Array, scale: float, *, tokens: bool) -> Array:
    """Raw samples as float32 times `scale`, or as int64 tokens; in place where they are float32 already."""
    if tokens:
        return samples.astype(np.int64, copy=False)
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused
        found = samples.astype(np.float32, copy=False)
    if scale != 1:
        found *= np.float32(scale)
    return found


def in_memory(samples: Array | Source | Stored, what: str) -> Array:
    """`samples`, which have to be an array; raises ScenarioError: they stay in their file, and `what` needs them in memory."""
    if isinstance(samples, np.ndarray):
        return samples
    source = samples.source if isinstance(samples, Stored) else samples
    raise ScenarioError.at("", f"{what} needs all samples in memory, and they stay in their file", source.fix)
