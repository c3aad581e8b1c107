"""Moving a model by a difference: what the job `shift` does."""

from collections.abc import Sequence
from typing import Any

import torch

from coterie.core.jobs import Call
from coterie.learning.bench import Bench
from coterie.learning.calls import one_by_one
from coterie.learning.finite import finite


def shift(bench: Bench, calls: Sequence[Call]) -> Sequence[tuple[Any, ...]]:
    """The job: inputs (model (d,), plus (d,), minus (d,) or None), args (weight, origin, towards); gives (model, facts)."""
    return _shift(bench, calls)


@one_by_one("shift")
def _shift(bench: Bench, call: Call) -> tuple[Any, ...]:
    (model, plus, minus), (weight, origin, towards) = call.inputs, call.args
    if plus.shape == model.shape:
        moved = bench.empty(len(model))
        if towards:  # (1 - weight) model + weight plus
            torch.lerp(model, plus, weight, out=moved)
        elif minus is None:
            torch.add(model, plus, alpha=weight, out=moved)
        else:
            torch.add(model, plus - minus, alpha=weight, out=moved)
        if finite(moved):
            return moved, {"aggregated": 1, "rejected": []}
    return model, {"aggregated": 0, "rejected": [origin]}
