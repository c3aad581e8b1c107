"""A federated task: who has which samples, ready to train on.

>>> from coterie.tasks.task import build
>>> task = build(dataset="digits", partition={"name": "dirichlet", "alpha": 0.3}, nodes=16, seed=7)
>>> task.nodes, task.features, len(task.inputs) + len(task.common_inputs)
(16, (1, 8, 8), 1797)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks import choices, datasets, partitions, preprocessing, splits
from coterie.tasks.dataset import Dataset
from coterie.tasks.frame import Frame
from coterie.tasks.partitions import Partition, Placement
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Indices, Ragged
from coterie.tasks.visitors import in_terms_of

__all__ = ["FederatedTask", "Ragged", "build"]

STRATA_OF_NUMBERS = 10
"""Numbers to predict are put into so many bins of equal counts where a draw is stratified."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FederatedTask:
    """A learning problem spread over nodes.

    inputs: (n, *features) float32, or int64 tokens; all train parts in node order, then all test parts: a node's part is a run.
    targets: (n,), int64 labels or float32 values.
    train, test: every node's own parts, indices into inputs. A train part is never empty, a test part may be.
    common_inputs, common_targets: the common test set, nobody's.
    classes: the names of the labels; empty for regression.
    names: the nodes' natural names, where there are any.
    partition: the name of the partition that dealt the samples.
    columns: the names of the features of a table.
    rows: (n,), which row of the data set each sample is.
    dataset_bytes: what central training would have to move: the train parts in raw form.
    preprocess: the stages that were applied.
    target_offset, target_scale: in its own unit a prediction is offset + scale · the model's.
    """

    name: str
    kind: Literal["classification", "regression"]
    inputs: NDArray[Any]
    targets: NDArray[Any]
    train: Ragged
    test: Ragged
    common_inputs: NDArray[Any]
    common_targets: NDArray[Any]
    classes: tuple[str, ...]
    names: tuple[str, ...] = ()
    partition: str = ""
    columns: tuple[str, ...] = ()
    rows: Indices
    dataset_bytes: int
    vocabulary: int | None = None
    preprocess: tuple[Mapping[str, Any], ...] = ()
    target_offset: float = 0.0
    target_scale: float = 1.0

    @property
    def nodes(self) -> int:
        """How many nodes there are."""
        return len(self.train)

    @property
    def features(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.inputs.shape[1:])

    @property
    def outputs(self) -> int:
        """What a model has to give for one sample: a score for each class, or one number."""
        return len(self.classes) or 1

    @property
    def metric(self) -> str:
        """What the task is judged by: `accuracy`, or `r2` where numbers are predicted."""
        return "accuracy" if self.kind == "classification" else "r2"

    def pooled(self) -> "FederatedTask":
        """All samples at one node, as if the nodes had given them away: the task of the centralized baseline. Shares the arrays."""
        train, test = (np.array([len(part.indices)]) for part in (self.train, self.test))
        return replace(self, train=Ragged.contiguous(train), test=Ragged.contiguous(test, int(train[0])), names=())


def build(
    *,
    dataset: Any,
    partition: Any = None,
    nodes: int | None = None,
    seed: int = 0,
    test_fraction: float = 0.2,
    common_test_fraction: float = 0.2,
    minimum: int = 2,
    preprocess: Sequence[Any] | None = None,
    folder: str | None = None,
    visitors: Dataset | None = None,
) -> FederatedTask:
    """Loads a data set, sets the common test set aside, deals the rest out to nodes, and preprocesses it there.

    dataset, partition: choices (a name, or a mapping with a name and parameters). No partition: natural where the data set
    has natural nodes, iid otherwise.
    nodes: how many; None: as many as a natural or explicit partition makes.
    test_fraction: of each node's samples, its own test part (0: none).
    common_test_fraction: of all samples, drawn by class before the partition; not used where the data set has an official
    test set.
    minimum: the least number of samples of a node, train and test part together.
    preprocess: choices of stages, in order; None: those that suit the data set.
    folder: where paths and modules are looked for (that of the scenario's file); None: the current one.
    visitors: samples from elsewhere in place of the common test set; nothing is fitted to them.

    Raises:
        ScenarioError: with the place under `task.dataset`, `partition`, `nodes` or `task.preprocess`.
    """
    _check_numbers(nodes, test_fraction, common_test_fraction, minimum)
    with choices.placed("task.dataset"):
        data = datasets.load(dataset, nodes=nodes, seed=seed, folder=folder)
        data.check()
    strata = _strata(data)
    if data.test_inputs is None:
        common = splits.common_test(strata, common_test_fraction, seed, data.units)
    else:
        common = np.zeros(len(data.targets), dtype=bool)
    pool_rows = np.flatnonzero(~common)
    with choices.placed("partition"):
        dealing = _dealing(data, partition)
        shards = dealing.deal(_pool(data, pool_rows, nodes=nodes, seed=seed, minimum=minimum, folder=folder))
    shards = Ragged(pool_rows[shards.indices], shards.offsets)
    train, test = splits.own_test(shards, strata, test_fraction, seed, data.units)
    frame, rows = _gathered(data, train, test, common)
    if visitors is not None:
        known = in_terms_of(data, visitors)
        frame = replace(frame, common=_numbers(known.inputs, known), common_targets=known.targets.astype(frame.targets.dtype))
    with choices.placed("partition"):
        _shift(dealing, frame, Placement(len(train), frame.owners, rows, seed))
    stages = tuple(data.preprocess if preprocess is None else preprocess)
    with choices.placed("task.preprocess"):
        _refuse_holes(frame, but_missing=True)
        frame = preprocessing.apply(stages, frame)
        _refuse_words(frame)
        _refuse_holes(frame)
    return _task(data, frame, test, rows=rows, names=_names(data, shards), stages=stages, partition=dealing.name)


def _check_numbers(nodes: int | None, test_fraction: float, common_test_fraction: float, minimum: int) -> None:
    if nodes is not None and nodes < 1:
        raise ScenarioError.at("nodes", f"{nodes} nodes cannot learn anything", "write nodes: 1 or more")
    if not 0 <= test_fraction < 1:
        raise ScenarioError.at("task.test_fraction", f"{test_fraction} is not a fraction from 0 to below 1", "write e.g. 0.2")
    if not 0 < common_test_fraction < 1:
        raise ScenarioError.at("task.common_test_fraction", f"{common_test_fraction} is not a fraction between 0 and 1", "write e.g. 0.2")
    if minimum < 1:
        raise ScenarioError.at("task.minimum", f"a node with {minimum} samples cannot train", "write 1 or more")


def _dealing(data: Dataset, partition: Any) -> Partition:
    if partition is None:
        partition = "iid" if data.groups is None else "natural"
    name, params = choices.parts(partition)
    return partitions.build(name, **params)


def _pool(data: Dataset, rows: Indices, *, nodes: int | None, seed: int, minimum: int, folder: str | None) -> Pool:
    def column(name: str) -> NDArray[Any]:
        names = [column.name for column in data.columns]
        if name not in names:
            some = ", ".join(names[:20]) or "it has none with a name"
            raise ScenarioError.at("by", f"the data set has no column called {name!r}", f"its columns: {some}")
        return np.asarray(data.inputs[rows, names.index(name)])

    return Pool(
        data.targets[rows],
        nodes,
        seed,
        minimum,
        groups=None if data.groups is None else data.groups[rows],
        names=data.group_names,
        rows=rows,
        total=len(data.targets),
        column=column,
        folder=folder,
    )


def _strata(data: Dataset) -> Indices:
    """(n,), the stratum of each sample: its class (or bin of its target), within its natural node."""
    labels = Pool(data.targets, None, 0).labels(STRATA_OF_NUMBERS)
    return labels if data.groups is None else data.groups * (labels.max() + 1) + labels


def _gathered(data: Dataset, train: Ragged, test: Ragged, common: NDArray[np.bool_]) -> tuple[Frame, Indices]:
    """The samples of all nodes, train parts first, as float32 (tokens as int64); and the row of each."""
    rows = np.concatenate([train.indices, test.indices])
    test_inputs = data.inputs[common] if data.test_inputs is None else data.test_inputs
    test_targets = data.targets[common] if data.test_targets is None else data.test_targets
    target_type = np.int64 if data.classes else np.float32
    frame = Frame(
        inputs=_numbers(data.inputs[rows], data),
        targets=data.targets[rows].astype(target_type),
        common=_numbers(test_inputs, data),
        common_targets=test_targets.astype(target_type),
        train=Ragged.contiguous(train.sizes),
        owners=np.concatenate([train.owners, test.owners]),
        columns=data.columns,
    )
    return frame, rows


def _shift(dealing: Partition, frame: Frame, placement: Placement) -> None:
    """Changes what nodes see of their samples, in place; columns of categories are left alone."""
    if not dealing.shifts:
        return
    if any(column.categories for column in frame.columns):
        chosen = frame.select(None)
        frame.inputs[:, chosen] = dealing.shift(frame.inputs[:, chosen], placement)
        return
    seen = dealing.shift(frame.inputs, placement)
    if seen is not frame.inputs:
        frame.inputs[...] = seen


def _numbers(inputs: NDArray[Any], data: Dataset) -> NDArray[Any]:
    if data.vocabulary is not None:
        return inputs.astype(np.int64)
    with np.errstate(over="ignore"):  # what is too large becomes infinite and is refused below
        numbers = inputs.astype(np.float32)
    if data.scale != 1:
        numbers *= np.float32(data.scale)
    return numbers


def _refuse_words(frame: Frame) -> None:
    worded = [column.name for column in frame.columns if column.categories]
    if worded:
        raise ScenarioError.at(
            "",
            f"{len(worded)} columns hold words: {', '.join(worded[:8])}{'…' if len(worded) > 8 else ''}",
            "add the stage one-hot, or leave them out of features",
        )


def _refuse_holes(frame: Frame, *, but_missing: bool = False) -> None:
    """Raises ScenarioError for missing (unless a stage may yet fill them in) and infinite values."""
    for part in (frame.inputs, frame.common):
        with np.errstate(invalid="ignore"):  # infinite numbers of both signs
            if part.dtype != np.float32 or np.isfinite(part.sum(dtype=np.float64)):
                continue
        flat = part.reshape(len(part), -1)
        holes = np.isnan(flat)
        missing = bool(holes.any()) and not but_missing
        bad = holes if missing else np.isinf(flat)
        where = np.flatnonzero(bad.any(axis=0))
        named = (
            ", ".join(frame.name(int(c)) for c in where[:8]) if len(frame.features) == 1 else f"{len(where)} of {flat.shape[1]} positions"
        )
        samples = f"{np.count_nonzero(bad.any(axis=1)):,} of {len(part):,} samples"
        if missing:
            raise ScenarioError.at(
                "", f"{samples} hold missing values, in {named}", "add the stage impute (e.g. {name: impute, scope: federation})"
            )
        if len(where):
            raise ScenarioError.at("", f"{samples} hold infinite values, in {named}", "correct the data: infinity cannot be learned from")


def _names(data: Dataset, shards: Ragged) -> tuple[str, ...]:
    """The natural names of the nodes, where each node is a natural group or part of one and no two share a name."""
    if data.groups is None or not data.group_names or (shards.sizes == 0).any():
        return ()
    first = data.groups[shards.indices[shards.offsets[:-1]]]
    if len(np.unique(first)) < len(first) or not np.array_equal(data.groups[shards.indices], first[shards.owners]):
        return ()
    return tuple(data.group_names[group] for group in first)


def _task(
    data: Dataset, frame: Frame, test: Ragged, *, rows: Indices, names: tuple[str, ...], stages: tuple[Any, ...], partition: str
) -> FederatedTask:
    applied = (choices.parts(choice) for choice in stages)
    return FederatedTask(
        name=data.name,
        kind="classification" if data.classes else "regression",
        inputs=frame.inputs,
        targets=frame.targets,
        train=frame.train,
        test=Ragged.contiguous(test.sizes, frame.trained),
        common_inputs=frame.common,
        common_targets=frame.common_targets,
        classes=data.classes,
        names=names,
        partition=partition,
        columns=tuple(column.name for column in frame.columns),
        rows=rows,
        dataset_bytes=round(frame.trained * data.bytes_of_a_sample),
        vocabulary=data.vocabulary,
        preprocess=tuple({"name": name, **params} for name, params in applied),
        target_offset=frame.target_offset,
        target_scale=frame.target_scale,
    )
