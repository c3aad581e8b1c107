"""What a free rider computes."""

from typing import Any

import numpy as np
import torch

from coterie.core.jobs import Call
from coterie.learning.bench import Bench
from coterie.learning.calls import one_by_one


@one_by_one("free_ride")
def free_ride(bench: Bench, call: Call) -> tuple[Any, ...]:
    """The job: inputs (model, client state or None, the model before or None), args (noise, whole); gives what training gives."""
    (model, client, before), (noise, whole) = call.inputs, call.args
    size, trained = bench.size, bench.trained
    update = bench.empty(len(bench.algorithm.update) * size)
    update.zero_()
    if noise and before is not None:
        drawn = torch.from_numpy(bench.draw(call.node, "free ride", call.round).standard_normal(trained).astype(np.float32))
        update[:trained] = drawn * (noise * (model[:trained] - before[:trained]).norm() / drawn.norm())
    if whole:
        update[:size] += model[:size]
    return update, bench.empty(0) if client is None else client, {}
