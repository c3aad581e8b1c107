"""Small benches to train on: random data, any model, algorithm and settings."""

from functools import partial

import numpy as np

from coterie import aggregation, algorithms
from coterie.core import draws
from coterie.learning.bench import Bench
from coterie.learning.network import Network
from coterie.learning.settings import Training
from coterie.tasks.ragged import Ragged
from coterie.tasks.task import FederatedTask


def task(sizes=(7, 5, 12), features=(6,), classes=3, tests=(4, 0, 3), common=11, seed=0, vocabulary=None):
    """Random samples; `classes` 0 makes a regression."""
    draw = np.random.default_rng(seed)
    count = sum(sizes) + sum(tests)

    def inputs(n):
        if vocabulary:
            return draw.integers(0, vocabulary, (n, *features))
        return draw.standard_normal((n, *features)).astype(np.float32)

    def targets(n):
        return draw.integers(0, classes, n) if classes else draw.standard_normal(n).astype(np.float32)

    return FederatedTask(
        name="random",
        kind="classification" if classes else "regression",
        inputs=inputs(count),
        targets=targets(count),
        train=Ragged.contiguous(np.array(sizes)),
        test=Ragged.contiguous(np.array(tests), sum(sizes)),
        common_inputs=inputs(common),
        common_targets=targets(common),
        classes=tuple(map(str, range(classes))),
        rows=np.arange(count),
        dataset_bytes=0,
        vocabulary=vocabulary,
    )


def bench(
    at=None,
    *,
    model="logistic",
    algorithm="fedavg",
    rule="mean",
    device="cpu",
    engine="exact",
    chunk=None,
    rounds=None,
    folder=None,
    **training,
):
    """A bench for the task `at` (by default a small one)."""
    at = task() if at is None else at
    rule = {"name": rule} if isinstance(rule, str) else dict(rule)
    settings = {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "batch_size": 4} | training
    return Bench(
        task=at,
        network=Network.of(model, at.features, at.outputs, vocabulary=at.vocabulary, folder=folder),
        training=Training(**settings),
        algorithm=algorithms.build(algorithm),
        rule=aggregation.build(rule.pop("name"), **rule),
        secret=partial(draws.derived_secret, 0),
        device=device,
        engine=engine,
        chunk=chunk,
        rounds=rounds,
        folder=folder,
    )
