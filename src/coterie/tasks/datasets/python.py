"""Whatever a function of the user's returns: arrays, a torch Dataset, a Hugging Face Dataset, or one of ours."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core import own_code
from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.targets import Kind

EXPECTED = (
    "return (inputs, targets), a Dataset with __len__ and __getitem__ giving (input, target), or a mapping of train, test and node to those"
)


@dataset("python")
def python(
    *,
    folder: str | None,
    source: str,
    arguments: dict[str, Any] | None = None,
    features: str | None = None,
    target: str = "label",
    kind: Kind | None = None,
    vocabulary: Count | None = None,
) -> Dataset:
    """The result of your own function, `source: module:function`, called with `arguments`.

    It returns arrays or tensors (inputs, targets); or anything with __len__ and __getitem__ that gives (input, target), such
    as a torch Dataset; or a Hugging Face Dataset, whose columns `features` (by default the only other one) and `target` are
    taken; or a mapping with "train", "test" (either of those forms) and "node" (whose each training sample is); or a
    coterie.tasks.dataset.Dataset. vocabulary: inputs are tokens below it.
    """
    function = own_code.load(source, "source", folder)
    if not callable(function):
        raise ScenarioError.at(
            "source", f"{source} is a {type(function).__name__}, not a function", "name a function that returns the data"
        )
    try:
        made = function(**(arguments or {}))
        if isinstance(made, Dataset):
            return made
        parts = made if isinstance(made, Mapping) and "train" in made else {"train": made}
        inputs, targets = _samples(parts["train"], features, target)
        test = _samples(parts["test"], features, target) if parts.get("test") is not None else None
        node = None if parts.get("node") is None else np.asarray(parts["node"])
    except ScenarioError:
        raise
    except Exception as error:
        raise ScenarioError.at("source", f"{source} raised {type(error).__name__}: {error}", "correct it, or its arguments") from error
    classes = _class_names(parts["train"], target)
    return Dataset.of("python", inputs, targets, test=test, node=node, kind=kind, classes=classes, vocabulary=vocabulary)


def _samples(made: Any, features: str | None, target: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Inputs (n, …) and targets (n,) of any of the forms."""
    if isinstance(made, tuple) and len(made) == 2:
        return _array(made[0]), _array(made[1])
    if hasattr(made, "column_names"):
        return _columns(made, features, target)
    if not hasattr(made, "__len__") or not hasattr(made, "__getitem__") or isinstance(made, (str, Mapping)):
        raise ScenarioError.at("source", f"it returned a {type(made).__name__}", EXPECTED)
    pairs = [made[index] for index in range(len(made))]
    if not pairs or any(not isinstance(pair, (tuple, list)) or len(pair) != 2 for pair in pairs):
        raise ScenarioError.at("source", f"its {type(made).__name__} of {len(pairs):,} samples does not give (input, target)", EXPECTED)
    inputs = [_array(x) for x, _ in pairs]
    odd = next((index for index, one in enumerate(inputs) if one.shape != inputs[0].shape), None)
    if odd is not None:
        raise ScenarioError.at(
            "source",
            f"sample {odd} has the shape {inputs[odd].shape}, sample 0 {inputs[0].shape}",
            "give all samples the same shape (crop or pad)",
        )
    return np.stack(inputs), np.array([_array(y)[()] for _, y in pairs])


def _columns(made: Any, features: str | None, target: str) -> tuple[NDArray[Any], NDArray[Any]]:
    names = list(made.column_names)
    others = [name for name in names if name != target]
    chosen = features or (others[0] if len(others) == 1 else None)
    if chosen not in names or target not in names:
        raise ScenarioError.at(
            "features" if target in names else "target", f"its columns are {', '.join(map(str, names))}", "name features and target"
        )
    pairs = made.with_format("numpy") if hasattr(made, "with_format") else made
    inputs = [_array(value) for value in pairs[chosen]]
    odd = next((index for index, one in enumerate(inputs) if one.shape != inputs[0].shape), None)
    if odd is not None:
        raise ScenarioError.at(
            "features", f"sample {odd} of {chosen!r} has the shape {inputs[odd].shape}, sample 0 {inputs[0].shape}", "give all the same"
        )
    return np.stack(inputs), _array(pairs[target])


def _class_names(made: Any, target: str) -> tuple[str, ...]:
    """The names that a Hugging Face Dataset has for a column of class indices, if it does."""
    features = getattr(made, "features", None)
    names = getattr(features.get(target), "names", None) if isinstance(features, Mapping) else None
    return tuple(map(str, names)) if names else ()


def _array(value: Any) -> NDArray[Any]:
    """A NumPy array of an array, tensor (also one on a device or with a gradient), picture or number."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    return np.asarray(value)
