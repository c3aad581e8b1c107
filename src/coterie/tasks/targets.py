"""What is to be predicted: raw target values as labels of named classes, or as numbers."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks.missing import missing, spelled, words

Kind = Literal["classification", "regression"]
Array = NDArray[Any]

MOST_INTEGER_CLASSES = 1000
"""More distinct integers than this could be either; then the scenario has to say."""


def prepared(
    targets: Array, test: Array | None = None, *, kind: Kind | None = None, names: tuple[str, ...] = ()
) -> tuple[Array, Array | None, tuple[str, ...]]:
    """Targets (n,) and test targets (m,) or None, ready to learn, with the names of the classes (none for regression).

    Without a `kind`, words, truth values and integers are classes and floats are numbers to predict. `names` names the
    classes where targets are already their indices.

    Raises:
        ScenarioError: a missing or infinite target, or one that does not fit the kind.
    """
    every = [np.asarray(part) for part in (targets, test) if part is not None]
    for part in every:
        if part.ndim != 1:
            raise ScenarioError.at(
                "target", f"targets have the shape {part.shape}, expected one value for each sample", "give a flat array"
            )
        _refuse_missing(part)
    every = [words(part) for part in every]
    if (kind or _likely(every)) == "regression":
        numbers = [_numbers(part) for part in every]
        return numbers[0], numbers[1] if test is not None else None, ()
    if names and all(part.dtype.kind in "iub" for part in every):
        labels = [part.astype(np.int64) for part in every]
        return labels[0], labels[1] if test is not None else None, names
    found = np.unique(np.concatenate([np.unique(part) for part in every]))
    labels = [np.searchsorted(found, part).astype(np.int64) for part in every]
    return labels[0], labels[1] if test is not None else None, tuple(spelled(value) for value in found)


def _likely(parts: list[Array]) -> Kind:
    kinds = {part.dtype.kind for part in parts}
    if "f" in kinds:
        return "regression"
    if kinds & set("iu"):
        distinct = max(len(np.unique(part)) for part in parts)
        if distinct > MOST_INTEGER_CLASSES:
            raise ScenarioError.at(
                "kind", f"the target has {distinct:,} distinct whole numbers", "write kind: regression, or kind: classification"
            )
    return "classification"


def _refuse_missing(part: Array) -> None:
    bad = np.count_nonzero(~np.isfinite(part) if part.dtype.kind == "f" else missing(part))
    if bad:
        raise ScenarioError.at("target", f"{bad:,} of {len(part):,} targets are missing or infinite", "leave those samples out of the data")


def _numbers(part: Array) -> NDArray[np.float32]:
    if part.dtype.kind not in "biuf":
        raise ScenarioError.at("kind", f"the target holds words, such as {str(part[0])!r}, not numbers", "write kind: classification")
    return part.astype(np.float32)
