"""Evaluation: what the job `evaluate` does. A model's outputs for a whole test set come first, then what is made of them."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie.core.jobs import Call
from coterie.learning.bench import Bench
from coterie.learning.calls import one_by_one
from coterie.learning.metrics import Accuracy

CHUNK_NUMBERS = 1 << 20
"""Samples are taken so many at a time that no layer makes more numbers of them than this: 4 MiB, which the cache holds."""
CHUNK_SAMPLES = 128
"""How many are taken at a time where layers are not known."""


def evaluate(bench: Bench, calls: Sequence[Call]) -> Sequence[tuple[Any, ...]]:
    """The job: inputs (published vector,), args (on, nodes); gives (facts,).

    The engine `fast` evaluates many nodes' models on their own parts at once, and a model on the common test set only once.
    """
    if bench.engine == "exact":
        return _exact(bench, calls)
    return _fast(bench, calls)


def _fast(bench: Bench, calls: Sequence[Call]) -> Sequence[tuple[Any, ...]]:
    from coterie.learning.batched.evaluation import evaluate_own

    found: list[tuple[Any, ...]] = [()] * len(calls)
    own = [place for place, call in enumerate(calls) if call.args[0] == "own" and bench.batched is not None]
    if own and bench.batched is not None:
        with torch.inference_mode():
            facts = evaluate_own(bench, bench.batched, [calls[place] for place in own])
        for place, fact in zip(own, facts, strict=True):
            found[place] = (fact,)
    known: dict[tuple[int, str], tuple[Any, ...]] = {}
    for place, call in enumerate(calls):
        if found[place]:
            continue
        key = call.inputs[0].data_ptr(), call.args[0]
        if call.args[0] != "common" or key not in known:
            known[key] = _exact(bench, [call])[0]
        found[place] = known[key]
    return found


@one_by_one("evaluate")
def _exact(bench: Bench, call: Call) -> tuple[Any, ...]:
    (model,), (on, nodes) = call.inputs, call.args
    bench.replica.load(model[: bench.size])
    with torch.inference_mode():
        if on == "common":
            return (_facts(bench, *bench.common, ending=""),)
        if on == "own":
            return (_facts(bench, *bench.test_shards[call.node], ending="_own"),)
        return (_each(bench, nodes or range(bench.task.nodes)),)


def _facts(bench: Bench, inputs: Tensor, targets: Tensor, ending: str) -> dict[str, Any]:
    if not len(targets):
        return {}
    outputs = outputs_of(bench, inputs)
    found = {name: metric(outputs, targets) for name, metric in bench.metrics.items()}
    found["loss"] = float(bench.loss.mean(outputs, targets))
    return {f"{name}{ending}": value for name, value in found.items()}


def outputs_of(bench: Bench, inputs: Tensor) -> Tensor:
    """What the bench's replica gives (n, k) for inputs (n, *features), a bounded number of samples at a time."""
    widest = bench.network.widest
    chunk = max(1, CHUNK_NUMBERS // widest) if widest else CHUNK_SAMPLES
    if len(inputs) <= chunk:
        return bench.replica.outputs(inputs)
    return torch.cat([bench.replica.outputs(part) for part in torch.split(inputs, chunk)])


def _each(bench: Bench, nodes: Sequence[int]) -> dict[str, Any]:
    """Facts of every node's own part from one pass over all of them."""
    shards = [bench.test_shards[node] for node in nodes]
    sizes = np.array([len(targets) for _, targets in shards])
    if not sizes.sum():
        return {}
    inputs, targets = (torch.cat(parts) for parts in zip(*shards, strict=True))
    outputs = outputs_of(bench, inputs)
    parts = list(zip(torch.split(outputs, sizes.tolist()), torch.split(targets, sizes.tolist()), strict=True))
    found = {
        name: _means(metric.each(outputs, targets), sizes) if isinstance(metric, Accuracy) else _over(metric, parts)
        for name, metric in bench.metrics.items()
    }
    losses = bench.loss.each(outputs, targets)
    found["loss"] = _over(bench.loss.mean, parts) if losses is None else _means(losses, sizes)
    return {f"{name}_own": values for name, values in found.items()}


def _means(values: Tensor, sizes: np.ndarray) -> list[float]:
    """The mean over each run of `values` (n,); NaN for an empty run."""
    sums = np.concatenate([[0.0], values.double().cpu().numpy().cumsum()])
    ends = sizes.cumsum()
    with np.errstate(invalid="ignore"):
        means: list[float] = ((sums[ends] - sums[ends - sizes]) / sizes).tolist()
    return means


def _over(function: Any, parts: list[tuple[Tensor, Tensor]]) -> list[float]:
    return [float(function(*part)) if len(part[1]) else math.nan for part in parts]
