"""Natural nodes: whose each sample is, from any array of names or numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks.missing import missing, spelled, words


def numbered(values: NDArray[Any], place: str = "node") -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Values (n,) as indices into the sorted names of those that occur.

    Raises:
        ScenarioError: a value is missing, or the array is not flat.
    """
    if values.ndim != 1:
        raise ScenarioError.at(place, f"it has the shape {values.shape}, expected one value for each sample", "give a flat array")
    unknown = np.count_nonzero(missing(values))
    if unknown:
        raise ScenarioError.at(place, f"{unknown:,} of {len(values):,} samples do not say whose they are", "fill it in, or leave them out")
    found, groups = np.unique(words(values), return_inverse=True)
    return groups.astype(np.int64), tuple(spelled(value) for value in found)
