"""Synthetic(alpha, beta): every node has a model and inputs of its own, at a chosen distance from the others'.

Li, Sahu, Zaheer, Sanjabi, Talwalkar and Smith, Federated Optimization in Heterogeneous Networks (FedProx), MLSys 2020,
section 5.1: y = argmax(W x + b) with W, b ~ N(u, 1), u ~ N(0, alpha); x ~ N(v, diag(j^-1.2)), v ~ N(B, 1), B ~ N(0, beta).
"""

from math import prod

import numpy as np
from numpy.typing import NDArray

from coterie.core import draws
from coterie.core.bounds import Count, NonNegative
from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.ragged import Indices, offsets_of

MOST_NUMBERS = 1 << 33
"""32 GiB of float32; a typing error should not fill the memory."""

NUMBERS_AT_A_TIME = 1 << 22
"""Numbers drawn in one call: many small nodes at a time, or a single large one."""


@dataset("synthetic")
def synthetic(
    *,
    nodes: int | None,
    seed: int,
    samples: Count = 50,
    features: Count | tuple[Count, ...] = 60,
    classes: Count = 10,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    sigma: NonNegative = 0.0,
) -> Dataset:
    """Made-up data, a natural group for each node of the scenario, for benchmarks and trials.

    samples: of each node (with sigma: the median; sizes are then log-normal). features: how many, or a shape such as
    [3, 32, 32]. alpha: how much the nodes' true models differ. beta: how much their inputs do.
    """
    if nodes is None:
        raise ScenarioError.at("", "synthetic data are made for a number of nodes", "write nodes: 16")
    if classes < 2:
        raise ScenarioError.at("classes", "with one class there is nothing to learn", "write classes: 2 or more")
    shape = features if isinstance(features, tuple) else (features,)
    _check_size(nodes * samples, prod(shape), classes)
    sizes = np.full(nodes, samples, np.int64)
    if sigma:
        spread = np.exp(np.minimum(sigma * draws.public(seed, "synthetic/sizes").standard_normal(nodes), 30))
        sizes = np.maximum(np.rint(samples * spread), min(samples, 4)).astype(np.int64)
        _check_size(int(sizes.sum()), prod(shape), classes)
    inputs, targets = _made(sizes, prod(shape), classes, alpha=alpha, beta=beta, seed=seed)
    return Dataset(
        name="synthetic",
        inputs=inputs.reshape(-1, *shape),
        targets=targets,
        classes=tuple(map(str, range(classes))),
        groups=np.repeat(np.arange(nodes), sizes),
        group_names=(),
    )


def _check_size(samples: int, features: int, classes: int) -> None:
    if max(samples, classes) * features > MOST_NUMBERS:
        raise ScenarioError.at(
            "samples", f"{samples:,} samples of {features:,} features, {classes:,} classes, would fill the memory", "write smaller numbers"
        )


def _made(sizes: Indices, features: int, classes: int, *, alpha: float, beta: float, seed: int) -> tuple[NDArray[np.float32], Indices]:
    """Inputs (n, features) and labels (n,). What is drawn for a node follows that of the nodes before it: another one changes nothing."""
    centres, models, means, values = (draws.public(seed, f"synthetic/{what}") for what in ("centres", "models", "means", "inputs"))
    deviations = (np.arange(1, features + 1, dtype=np.float32) ** -1.2) ** 0.5
    inputs = np.empty((int(sizes.sum()), features), np.float32)
    targets = np.empty(len(inputs), np.int64)
    offsets, together = offsets_of(sizes), max(1, NUMBERS_AT_A_TIME // (features * (classes + int(sizes.max()))))
    for first in range(0, len(sizes), together):
        some = sizes[first : first + together]
        u, v = (centres.standard_normal((len(some), 2)) * np.sqrt([alpha, beta])).astype(np.float32).T
        weights = models.standard_normal((len(some), features + 1, classes), np.float32) + u[:, None, None]
        mean = means.standard_normal((len(some), features), np.float32) + v[:, None]
        start, stop = offsets[first], offsets[first + len(some)]
        rows = inputs[start:stop]
        values.standard_normal(dtype=np.float32, out=rows)
        rows *= deviations
        rows += np.repeat(mean, some, axis=0)
        if (some == some[0]).all():
            scores = rows.reshape(len(some), some[0], features) @ weights[:, :-1] + weights[:, -1:]
            targets[start:stop] = np.argmax(scores, axis=2).ravel()
            continue
        for node, weight in enumerate(weights, first):
            mine = slice(offsets[node], offsets[node + 1])
            targets[mine] = np.argmax(inputs[mine] @ weight[:-1] + weight[-1], axis=1)
    return inputs, targets
