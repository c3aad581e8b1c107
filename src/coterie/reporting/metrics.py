"""Metrics of a run: the rows of `metrics.jsonl`, and the same as columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.core.errors import ScenarioError
from coterie.reporting.rows import read_rows

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

Index = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
MOST_NAMES = 1000


class Metric(msgspec.Struct, frozen=True, gc=False):
    """One line of `metrics.jsonl`.

    node: whose model it was.
    round: how many rounds that node had completed; 0 is the initial model.
    metric: `accuracy`, `loss` (common test set), `accuracy_own`, `loss_own` (the node's own test data), `train_loss`, ….
    value: null where it was not a finite number.
    seconds: virtual time.
    """

    node: Index
    round: Index
    metric: str
    value: float | None
    seconds: float


def metric_rows(
    round: int, metric: str, nodes: Sequence[int] | npt.NDArray[Any], values: Sequence[float] | npt.NDArray[Any], seconds: Any
) -> Iterator[Metric]:
    """The rows of one metric in one round: `nodes` (n,), `values` (n,), `seconds` a number or (n,)."""
    who = np.asarray(nodes).tolist()
    what = np.asarray(values, dtype=np.float64).tolist()
    when = np.broadcast_to(np.asarray(seconds, dtype=np.float64), (len(who),)).tolist()
    return (Metric(node, round, metric, value, at) for node, value, at in zip(who, what, when, strict=True))


@dataclass(frozen=True, eq=False, slots=True)
class Series:
    """All finite values of one metric, in order of (round, node); columns of shape (rows,)."""

    metric: str
    node: Ints
    round: Ints
    value: Floats
    seconds: Floats
    dropped: int
    """How many rows had no finite value."""

    def __len__(self) -> int:
        return len(self.value)

    def of(self, nodes: npt.NDArray[Any]) -> "Series":
        """The rows of some nodes only."""
        keep = np.isin(self.node, nodes)
        return Series(self.metric, self.node[keep], self.round[keep], self.value[keep], self.seconds[keep], self.dropped)


@dataclass(frozen=True, eq=False, slots=True)
class Metrics:
    """Every row of a run as columns of shape (rows,), in the order of the file; `value` is NaN where the row says null.

    shared: whether nodes share one model. What an earlier aggregator measured on the common test set is then nobody's last value.
    """

    names: tuple[str, ...]
    code: npt.NDArray[np.int16]
    """Which of `names` a row is about."""
    node: Ints
    round: Ints
    value: Floats
    seconds: Floats
    shared: bool = False

    def __len__(self) -> int:
        return len(self.value)

    def series(self, metric: str) -> Series:
        """One metric's rows; empty where the run has none."""
        mine = np.flatnonzero(self.code == self.names.index(metric)) if metric in self.names else np.empty(0, np.intp)
        finite = mine[np.isfinite(self.value[mine])]
        rows = finite[np.lexsort((self.node[finite], self.round[finite]))]
        return Series(metric, self.node[rows], self.round[rows], self.value[rows], self.seconds[rows], len(mine) - len(finite))

    def last(self, metric: str) -> tuple[Ints, Floats]:
        """Each node's last value of a metric: nodes (n,) in order, values (n,), NaN where that value was not finite."""
        mine = np.flatnonzero(self.code == self.names.index(metric)) if metric in self.names else np.empty(0, np.intp)
        if self.shared and len(mine) and metric != "train_loss" and not metric.endswith("_own"):
            mine = mine[self.round[mine] == self.round[mine].max()]
        rows = mine[np.lexsort((self.round[mine], self.node[mine]))]  # stable: of two rows for one round the later counts
        rows = rows[np.flatnonzero(np.diff(self.node[rows], append=-1))]
        return self.node[rows], self.value[rows]

    def final(self) -> dict[str, Floats]:
        """Each metric's last values over nodes, as `last` gives them."""
        return {name: self.last(name)[1] for name in self.names}


def read_metrics(path: Path, *, shared: bool = False) -> Metrics:
    """The columns of a `metrics.jsonl`, about a microsecond a row; raises ScenarioError where it is damaged."""
    codes: dict[str, int] = {}
    parts: list[tuple[npt.NDArray[Any], ...]] = []
    for rows in read_rows(path, Metric):
        size = len(rows)
        for row in rows:
            if row.metric not in codes:
                codes[row.metric] = len(codes)
        if len(codes) > MOST_NAMES:
            raise ScenarioError.at(str(path), f"names more than {MOST_NAMES} metrics", "is this the folder of a run?")
        parts.append(
            (
                np.fromiter((codes[row.metric] for row in rows), np.int16, size),
                np.fromiter((row.node for row in rows), np.int32, size),
                np.fromiter((row.round for row in rows), np.int32, size),
                np.fromiter((np.nan if row.value is None else row.value for row in rows), np.float64, size),
                np.fromiter((row.seconds for row in rows), np.float64, size),
            )
        )
    if not parts:
        parts.append(tuple(np.empty(0, kind) for kind in (np.int16, np.int32, np.int32, np.float64, np.float64)))
    code, node, round_, value, seconds = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Metrics(tuple(codes), code, node, round_, value, seconds, shared)
