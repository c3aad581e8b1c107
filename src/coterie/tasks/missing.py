"""Which values of an array are missing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    """True where `values` holds NaN, NaT or None; the same shape."""
    if values.dtype.kind in "fmMc":
        return np.asarray(values != values)  # noqa: PLR0124 (what is missing differs from itself)
    if values.dtype.kind == "O":
        flat = [value is None or value != value for value in values.ravel()]  # noqa: PLR0124
        return np.array(flat, dtype=bool).reshape(values.shape)
    return np.zeros(values.shape, dtype=bool)


def words(values: NDArray[Any]) -> NDArray[Any]:
    """`values` in a form that sorts: Python objects become strings, the rest stays."""
    return np.array([str(value) for value in values.ravel()]).reshape(values.shape) if values.dtype.kind == "O" else values


def spelled(value: Any) -> str:
    """A value as a name: whole floats without their point."""
    return str(int(value)) if isinstance(value, np.floating) and float(value).is_integer() else str(value)
