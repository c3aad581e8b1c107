"""How unlike the nodes' data are.

The Jensen-Shannon distance (the square root of the divergence in bits: Endres and Schindelin, A New Metric for Probability
Distributions, 2003) of two nodes' class mixes is 0 where they are the same and 1 where they share no class.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from coterie.core import draws
from coterie.tasks.ragged import Indices
from coterie.tasks.task import FederatedTask

PAIRS = 200_000
"""Up to so many pairs of nodes (632 nodes) all are compared, beyond that as many drawn at random."""

BINS = 10
"""Numbers to predict count as classes by so many bins of equal counts."""

BLOCK = 65_536
"""Pairs compared at a time; bounds the memory."""


@dataclass(frozen=True, eq=False)
class Skew:
    """How the train parts differ.

    classes: the names of the classes, or of the bins of a number to predict.
    counts: (nodes, classes), samples. sizes: (nodes,).
    jensen_shannon: the mean distance of two nodes' class mixes, 0 to 1; 0 for a single node.
    """

    classes: tuple[str, ...]
    counts: Indices
    sizes: Indices
    jensen_shannon: float


def summary(task: FederatedTask) -> Skew:
    """The skew of a task's train parts."""
    labels, classes = _labels(task)
    mine = labels[task.train.indices]
    counts = np.bincount(task.train.owners * len(classes) + mine, minlength=task.nodes * len(classes)).reshape(task.nodes, len(classes))
    return Skew(classes, counts, task.train.sizes, jensen_shannon(counts))


def jensen_shannon(counts: NDArray[np.int64]) -> float:
    """The mean Jensen-Shannon distance over pairs of rows of `counts` (nodes, classes), each row with at least one sample."""
    nodes = len(counts)
    if nodes < 2:
        return 0.0
    mixes = counts / counts.sum(axis=1, keepdims=True)
    own = _entropy(mixes)
    if nodes * (nodes - 1) // 2 <= PAIRS:
        left, right = np.triu_indices(nodes, 1)
    else:
        draw = draws.public(0, "skew-pairs")
        left = draw.integers(nodes, size=PAIRS)
        right = (left + 1 + draw.integers(nodes - 1, size=PAIRS)) % nodes
    total = 0.0
    for start in range(0, len(left), BLOCK):
        a, b = left[start : start + BLOCK], right[start : start + BLOCK]
        divergence = _entropy((mixes[a] + mixes[b]) / 2) - (own[a] + own[b]) / 2
        total += float(np.sqrt(np.maximum(divergence, 0)).sum())
    return total / len(left)


def _entropy(mixes: NDArray[np.float64]) -> NDArray[np.float64]:
    """In bits, over the last axis."""
    return -np.asarray((mixes * np.log2(np.where(mixes > 0, mixes, 1))).sum(axis=-1))


def _labels(task: FederatedTask) -> tuple[Indices, tuple[str, ...]]:
    if task.classes:
        return task.targets, task.classes
    edges = np.unique(np.quantile(task.targets, np.linspace(0, 1, BINS + 1)))
    inner = edges[1:-1]
    bounds = [float(edge) * task.target_scale + task.target_offset for edge in edges]
    names = tuple(f"{low:.4g} to {high:.4g}" for low, high in pairwise(bounds)) or ("all",)
    return np.searchsorted(inner, task.targets, side="right").astype(np.int64), names
