"""How an algorithm is registered and built."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from coterie.core.registry import Registry
from coterie.learning.algorithm import Algorithm, Sections
from coterie.tasks.choices import parts, placed

__all__ = ["ALGORITHMS", "Algorithm", "Sections", "algorithm", "build", "first_model"]

ALGORITHMS: Registry[type[Algorithm]] = Registry("algorithm", home="coterie.algorithms")
algorithm = ALGORITHMS.register


def build(choice: Any) -> Algorithm:
    """The algorithm of a choice (a name, or a mapping with a name and parameters); raises ScenarioError."""
    with placed("algorithm"):
        name, params = parts(choice)
        entry = ALGORITHMS.entry(name, "name" if isinstance(choice, Mapping) else "")
        return entry.thing(**entry.check(params))


def first_model(initial: np.ndarray, algorithm: Algorithm) -> np.ndarray:
    """The first published vector: the `initial` model (d,), then the algorithm's broadcast sections, all zero."""
    return np.concatenate([initial, np.zeros(len(algorithm.broadcast) * len(initial), dtype=initial.dtype)])
