"""A data set: samples and what is known about them, before they are dealt out to nodes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks import groups as natural_groups
from coterie.tasks import targets as of_targets
from coterie.tasks.stored import Source

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Column:
    """One feature of a table. Where `categories` is not empty the values are their indices (NaN: missing)."""

    name: str
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Samples as they were read.

    inputs: (n, *features), any real dtype; they become float32 times `scale`. With a `vocabulary`, int64 tokens below it. An
        array, or a `Source` where they stay in their file.
    targets: (n,), int64 labels below len(classes), or, where `classes` is empty, floats to predict.
    test_inputs, test_targets: the official test set, or None.
    columns: the features of a table, where they have names.
    groups: (n,), the natural node of each sample, from 0 on; or None. group_names: theirs, where they have any.
    units: (n,), samples of one unit overlap or belong together: a split never parts them; or None.
    sample_bytes: what one sample weighs in raw form; None: what inputs and targets take in memory.
    preprocess: the stages that suit the data when the scenario says nothing.
    spare: whether `inputs` are nobody else's, and so may be changed in place.
    """

    name: str
    inputs: Array | Source
    targets: Array
    classes: tuple[str, ...] = ()
    test_inputs: Array | None = None
    test_targets: Array | None = None
    scale: float = 1.0
    columns: tuple[Column, ...] = ()
    groups: NDArray[np.int64] | None = None
    group_names: Sequence[str] = ()
    units: NDArray[np.int64] | None = None
    vocabulary: int | None = None
    sample_bytes: float | None = None
    preprocess: tuple[Mapping[str, Any], ...] = ()
    spare: bool = False

    @classmethod
    def of(
        cls,
        name: str,
        inputs: Array | Source,
        targets: Array,
        *,
        test: tuple[Array, Array] | None = None,
        node: Array | None = None,
        kind: of_targets.Kind | None = None,
        classes: tuple[str, ...] = (),
        **more: Any,
    ) -> "Dataset":
        """The data set of plain arrays: targets of any type, `node` (n,) names whose each sample is.

        Raises:
            ScenarioError: the arrays do not fit together.
        """
        for part in (inputs, targets, *(test or ())):
            if part.ndim == 0:
                raise ScenarioError.at("", f"a single value ({part!r}) is not an array of samples", "give one row for each sample")
        labels, test_labels, names = of_targets.prepared(targets, test[1] if test else None, kind=kind, names=classes)
        groups, group_names = (None, ()) if node is None else natural_groups.numbered(node)
        return cls(
            name=name,
            inputs=inputs,
            targets=labels,
            classes=names,
            test_inputs=test[0] if test else None,
            test_targets=test_labels,
            groups=groups,
            group_names=group_names,
            **more,
        )

    @property
    def features(self) -> tuple[int, ...]:
        """The shape of one sample."""
        return tuple(self.inputs.shape[1:])

    @property
    def bytes_of_a_sample(self) -> float:
        """The raw bytes of one sample with its target."""
        if self.sample_bytes is not None:
            return self.sample_bytes
        return self.inputs.itemsize * float(np.prod(self.features, dtype=np.int64)) + self.targets.itemsize

    def check(self) -> None:
        """Raises ScenarioError when no task can be made of these samples, saying what was expected and found."""
        _check_samples(self.inputs, self.targets, "the data")
        if (self.test_inputs is None) != (self.test_targets is None):
            raise ScenarioError.at("", "there are test inputs or test targets, but not both", "name both, or neither")
        if self.test_inputs is not None and self.test_targets is not None:
            _check_samples(self.test_inputs, self.test_targets, "the test data")
            if self.test_inputs.shape[1:] != self.inputs.shape[1:]:
                raise ScenarioError.at(
                    "",
                    f"test samples have the shape {self.test_inputs.shape[1:]}, the others {self.features}",
                    "give both the same features",
                )
        if len(self.targets) < 2:
            raise ScenarioError.at("", "there is a single sample, and none to test on", "give more data")
        self._check_groups()
        if self.classes:
            self._check_classes()
        if self.vocabulary is not None:
            self._check_tokens(self.vocabulary)

    def _check_groups(self) -> None:
        for what, labels in (("groups", self.groups), ("units", self.units)):
            if labels is None:
                continue
            if labels.shape != self.targets.shape:
                raise ScenarioError.at(
                    "", f"there are {len(self.targets):,} samples but {len(labels):,} {what}", "give one for each sample"
                )
            if labels.dtype.kind not in "iu" or labels.min() < 0 or (what == "groups" and 0 < len(self.group_names) <= labels.max()):
                raise ScenarioError.at("", f"{what} are not whole numbers from 0 on, below the number of their names", "number them so")

    def _check_classes(self) -> None:
        for labels in (self.targets, self.test_targets):
            if labels is not None and labels.dtype.kind not in "biu":
                raise ScenarioError.at("", f"labels are {labels.dtype}, expected whole numbers", "give the index of each sample's class")
            if labels is not None and (labels.min() < 0 or labels.max() >= len(self.classes)):
                raise ScenarioError.at("", f"labels run from {labels.min()} to {labels.max()} but there are {len(self.classes)} classes")
        present = np.unique(self.targets)
        if len(present) < 2:
            raise ScenarioError.at(
                "",
                f"all {len(self.targets):,} samples are of one class ({self.classes[present[0]]!r}): there is nothing to learn",
                "give data with at least two classes, or kind: regression",
            )

    def _check_tokens(self, vocabulary: int) -> None:
        for tokens in (self.inputs, self.test_inputs):
            if tokens is None:
                continue
            if tokens.dtype.kind not in "iu":
                raise ScenarioError.at(
                    "vocabulary", f"tokens are integers, these are {tokens.dtype}", "leave vocabulary out, or give integers"
                )
            least, most = _range(tokens)
            if least < 0 or most >= vocabulary:
                raise ScenarioError.at(
                    "vocabulary",
                    f"tokens run from {least} to {most}, a vocabulary of {vocabulary} has 0 to {vocabulary - 1}",
                    f"write vocabulary: {most + 1}",
                )


def _range(tokens: Array | Source) -> tuple[int, int]:
    """The least and the greatest."""
    parts = (part for _, part in tokens.blocks()) if isinstance(tokens, Source) else [tokens]
    ranges = [(int(part.min()), int(part.max())) for part in parts]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _check_samples(inputs: Array | Source, targets: Array, what: str) -> None:
    if inputs.ndim < 2:
        raise ScenarioError.at(
            "", f"{what}: inputs have the shape {inputs.shape}, expected (samples, features…)", "give every sample at least one feature"
        )
    if inputs.dtype.kind not in "biuf":
        raise ScenarioError.at(
            "", f"{what}: inputs are {inputs.dtype}, expected numbers", "give numbers; a csv or parquet file may hold words"
        )
    if targets.shape != (len(inputs),):
        raise ScenarioError.at(
            "", f"{what}: {len(inputs):,} inputs but targets of shape {targets.shape}", "give one target for each sample"
        )
    if 0 in inputs.shape:
        raise ScenarioError.at("", f"{what}: inputs have the shape {inputs.shape}: it is empty", "give data with samples and features")
