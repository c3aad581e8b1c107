"""A federated task: who has which samples, ready to train on.

>>> from coterie.tasks.task import build
>>> task = build(dataset="digits", partition={"name": "dirichlet", "alpha": 0.3}, nodes=16, seed=7)
>>> task.nodes, task.features, len(task.inputs) + len(task.common_inputs)
(16, (1, 8, 8), 1797)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks import choices, datasets, groups, partitions, preprocessing, splits
from coterie.tasks.dataset import Dataset
from coterie.tasks.frame import Frame
from coterie.tasks.partitions import Partition, Placement
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Indices, Ragged
from coterie.tasks.stored import Source, Stored, in_memory, numbers
from coterie.tasks.visitors import in_terms_of

__all__ = ["FederatedTask", "Ragged", "build"]

STRATA_OF_NUMBERS = 10
"""Numbers to predict are put into so many bins of equal counts where a draw is stratified."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FederatedTask:
    """A learning problem spread over nodes.

    inputs: (n, *features) float32, or int64 tokens; all train parts in node order, then all test parts: a node's part is a run.
        Where samples stay in their file, what reads them.
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
    inputs: NDArray[Any] | Stored
    targets: NDArray[Any]
    train: Ragged
    test: Ragged
    common_inputs: NDArray[Any]
    common_targets: NDArray[Any]
    classes: tuple[str, ...]
    names: Sequence[str] = ()
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

    @property
    def largest(self) -> int:
        """How many training samples the node with most has."""
        return int(self.train.sizes.max(initial=1))

    def without_samples(self) -> "FederatedTask":
        """All that is to be known about the task but the samples themselves: for who plans with it, and trains on nothing."""
        none = np.empty((0, *self.features), np.float32)
        return replace(
            self,
            inputs=none,
            targets=self.targets[:0].copy(),
            rows=self.rows[:0].copy(),
            common_inputs=none,
            common_targets=self.targets[:0].copy(),
        )

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
    with choices.placed("partition"):
        dealing = _dealing(data, partition)
    pool = partial(_pool, data, nodes=nodes, seed=seed, minimum=minimum, folder=folder)
    train, test, common, names = _dealt(data, dealing, pool, (test_fraction, common_test_fraction), seed)
    frame, rows = _gathered(data, train, test, common)
    if visitors is not None:
        known = in_terms_of(data, visitors)
        frame = replace(
            frame, common=_numbers(in_memory(known.inputs, ""), known), common_targets=known.targets.astype(frame.targets.dtype)
        )
    with choices.placed("partition"):
        _shift(dealing, frame, Placement(len(train), frame.owners, rows, seed))
    stages = tuple(data.preprocess if preprocess is None else preprocess)
    with choices.placed("task.preprocess"):
        complete = _refuse_holes(frame, but_missing=True)
        frame = preprocessing.apply(stages, frame)
        _refuse_words(frame)
        if not (complete and isinstance(frame.inputs, Stored)):  # what was complete in its file stays so
            _refuse_holes(frame)
    return _task(data, frame, test, rows=rows, names=names, stages=stages, partition=dealing.name)


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


def _dealt(
    data: Dataset, dealing: Partition, pool: Callable[[Indices], Pool], fractions: tuple[float, float], seed: int
) -> tuple[Ragged, Ragged, NDArray[np.bool_], Sequence[str]]:
    """Rows of the train part and of the test part of every node, which samples are the common test set, and the nodes' names.

    fractions: of a node's own test part, and of the common test set.
    """
    strata = _strata(data)
    if data.test_inputs is None:
        common = splits.common_test(strata, fractions[1], seed, data.units)
    else:
        common = np.zeros(len(data.targets), dtype=bool)
    rows = np.flatnonzero(~common)
    with choices.placed("partition"):
        shards = dealing.deal(pool(rows))
    shards = Ragged(rows[shards.indices], shards.offsets)
    del rows
    return *splits.own_test(shards, strata, fractions[0], seed, data.units), common, _names(data, shards)


def _pool(data: Dataset, rows: Indices, *, nodes: int | None, seed: int, minimum: int, folder: str | None) -> Pool:
    def column(name: str) -> NDArray[Any]:
        names = [column.name for column in data.columns]
        if name not in names:
            some = ", ".join(names[:20]) or "it has none with a name"
            raise ScenarioError.at("by", f"the data set has no column called {name!r}", f"its columns: {some}")
        return np.asarray(in_memory(data.inputs, "a partition by a column")[rows, names.index(name)])

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
    target_type = np.int64 if data.classes else np.float32
    test_inputs, test_targets = data.test_inputs, data.test_targets
    if test_inputs is None or test_targets is None:
        if isinstance(data.inputs, Source):
            fix = "write a smaller task.common_test_fraction, such as 0.01"
            data.inputs.check_held(int(np.count_nonzero(common)), "the common test set", "task.common_test_fraction", fix)
        test_inputs, test_targets = _at(data, np.flatnonzero(common)), data.targets[common]
    else:
        test_inputs = test_inputs.copy()
    stays = isinstance(data.inputs, Source)
    frame = Frame(
        inputs=_stored(data, rows, train, test) if stays else _numbers(_at(data, rows), data),
        targets=data.targets[rows].astype(target_type, copy=False),
        common=_numbers(test_inputs, data),
        common_targets=test_targets.astype(target_type),
        train=Ragged.contiguous(train.sizes),
        owners=np.empty(0, np.int64) if stays else np.concatenate([train.owners, test.owners]),
        columns=data.columns,
    )
    return frame, rows


def _at(data: Dataset, rows: Indices) -> NDArray[Any]:
    if isinstance(data.inputs, Source):
        return data.inputs.take(rows)
    if data.spare and np.array_equal(rows, np.arange(len(data.inputs))):
        return data.inputs  # all of them, in their order: a copy would only take twice the memory
    return data.inputs[rows]


def _stored(data: Dataset, rows: Indices, train: Ragged, test: Ragged) -> Stored:
    """What reads the samples of all nodes where they are."""
    assert isinstance(data.inputs, Source)
    return Stored(
        data.inputs,
        rows,
        train.offsets,
        test.offsets,
        scale=data.scale,
        tokens=data.vocabulary is not None,
        shape=(len(rows), *data.features),
    )


def _shift(dealing: Partition, frame: Frame, placement: Placement) -> None:
    """Changes what nodes see of their samples, in place; columns of categories are left alone."""
    if not dealing.shifts:
        return
    samples = in_memory(frame.inputs, "a partition that changes what nodes see")
    if any(column.categories for column in frame.columns):
        chosen = frame.select(None)
        samples[:, chosen] = dealing.shift(samples[:, chosen], placement)
        return
    seen = dealing.shift(samples, placement)
    if seen is not samples:
        samples[...] = seen


def _numbers(inputs: NDArray[Any], data: Dataset) -> NDArray[Any]:
    """Raw samples as the numbers that they stand for; perhaps in place."""
    return numbers(inputs, data.scale, tokens=data.vocabulary is not None)


def _refuse_words(frame: Frame) -> None:
    worded = [column.name for column in frame.columns if column.categories]
    if worded:
        raise ScenarioError.at(
            "",
            f"{len(worded)} columns hold words: {', '.join(worded[:8])}{'…' if len(worded) > 8 else ''}",
            "add the stage one-hot, or leave them out of features",
        )


def _refuse_holes(frame: Frame, *, but_missing: bool = False) -> bool:
    """Raises ScenarioError for missing (unless a stage may yet fill them in) and infinite values; gives whether none is missing."""
    complete = True
    for part in (frame.inputs, frame.common):
        if part.dtype != np.float32:
            continue
        missing, infinite = _holes(part)
        complete = complete and not missing.samples
        bad = missing if missing.samples and not but_missing else infinite
        where = np.flatnonzero(bad.columns)
        if not bad.samples:
            continue
        named = (
            ", ".join(frame.name(int(c)) for c in where[:8])
            if len(frame.features) == 1
            else f"{len(where)} of {len(bad.columns)} positions"
        )
        samples = f"{bad.samples:,} of {len(part):,} samples"
        if bad is missing:
            raise ScenarioError.at(
                "", f"{samples} hold missing values, in {named}", "add the stage impute (e.g. {name: impute, scope: federation})"
            )
        raise ScenarioError.at("", f"{samples} hold infinite values, in {named}", "correct the data: infinity cannot be learned from")
    return complete


@dataclass
class _Holes:
    """Of how many samples something is wrong, and in which of their numbers (size,)."""

    samples: int
    columns: NDArray[np.bool_]


def _holes(part: NDArray[Any] | Stored) -> tuple[_Holes, _Holes]:
    """Missing and infinite values; samples that stay in their file are gone through a few at a time."""
    size = int(np.prod(part.shape[1:], dtype=np.int64))
    missing, infinite = (_Holes(0, np.zeros(size, bool)) for _ in range(2))
    for block in part.blocks() if isinstance(part, Stored) else [part]:
        with np.errstate(invalid="ignore", over="ignore"):  # infinite numbers of both signs
            if np.isfinite(block.sum(dtype=np.float64)):
                continue
        flat = block.reshape(len(block), -1)
        for found, bad in ((missing, np.isnan(flat)), (infinite, np.isinf(flat))):
            found.samples += int(np.count_nonzero(bad.any(axis=1)))
            found.columns |= bad.any(axis=0)
    return missing, infinite


def _names(data: Dataset, shards: Ragged) -> Sequence[str]:
    """The natural names of the nodes, where each node is a natural group or part of one and no two share a name."""
    if data.groups is None or not data.group_names or (shards.sizes == 0).any():
        return ()
    first = data.groups[shards.indices[shards.offsets[:-1]]]
    if len(np.unique(first)) < len(first) or not np.array_equal(data.groups[shards.indices], first[shards.owners]):
        return ()
    return groups.chosen(data.group_names, first)


def _task(
    data: Dataset, frame: Frame, test: Ragged, *, rows: Indices, names: Sequence[str], stages: tuple[Any, ...], partition: str
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
