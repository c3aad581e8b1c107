"""Whether vectors hold numbers alone."""

import math

from torch import Tensor


def finite(vector: Tensor) -> bool:
    """Whether all numbers of `vector` are finite; their sum, one pass over them, mostly tells."""
    return math.isfinite(vector.sum().item()) or bool(vector.isfinite().all())
