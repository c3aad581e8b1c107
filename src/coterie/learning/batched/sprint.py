"""Nodes that train a few steps of plain SGD on dense models: all steps of a node in one go, see `DenseModels.sprint`.

Who sprints follows from the settings and the node's own numbers alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from coterie.core.jobs import Call
from coterie.learning.algorithm import Algorithm
from coterie.learning.batched.dense import Batches, DenseModels
from coterie.learning.batched.models import Models
from coterie.learning.batched.pool import matrices
from coterie.learning.batched.timetable import Course
from coterie.learning.bench import Bench
from coterie.learning.shards import Table

MOST_SAMPLES = 96
"""Samples of all steps of a node: up to about as many, products get faster with each."""
MOST_MET = 4
"""Later samples meet at most so many earlier ones for each number that the first layer gives: more costs more than is saved."""


def plain(bench: Bench) -> bool:
    """Whether a step is the gradient times the learning rate, taken off, and nothing looks at it."""
    return bench.algorithm.gradient is None and bench.training.clip_norm is None and getattr(bench.optimizer, "plain", False)


def sprints(bench: Bench, models: Models, steps: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """(n,) which of n nodes with so many steps of such batches sprint."""
    averages = type(bench.algorithm).finish is Algorithm.finish and not bench.algorithm.broadcast and not bench.algorithm.client_state
    if not (isinstance(models, DenseModels) and plain(bench) and averages) or models.layers[0].relu:
        return np.zeros(len(steps), bool)
    wide_enough = (steps - 1) * widths <= MOST_MET * models.layers[0].bias.shape[-1]
    found: np.ndarray = wide_enough & (steps * widths <= MOST_SAMPLES)
    return found


def sprint(bench: Bench, calls: Sequence[Call], samples: Table, course: Course, rates: np.ndarray) -> tuple[list[Tensor], Tensor]:
    """The updates of nodes of as many steps each, and the losses (batches, width) of the course's samples."""
    models, count, size = bench.batched, len(calls), bench.size
    assert isinstance(models, DenseModels)
    steps = len(course.owner) // count
    shape = (count, steps, course.width)
    weights = (np.arange(course.width) < course.count[:, None]) * (rates / course.count)[:, None]
    rows = torch.from_numpy(course.samples.reshape(count, -1)).to(bench.device, non_blocking=True)
    shares = torch.from_numpy(weights.astype(np.float32).reshape(*shape, 1)).to(bench.device, non_blocking=True)
    room, losses = bench.room(count, size), torch.empty(shape, device=bench.device)
    inputs, targets, _ = samples
    batches = inputs.new_empty(min(count, models.count) * steps * course.width, inputs.shape[1])
    for first in range(0, count, models.count):
        some = slice(first, first + models.count)
        own = rows[some].flatten()
        labels = targets.index_select(0, own).view(-1, *shape[1:])
        batch = torch.index_select(inputs, 0, own, out=batches[: len(own)]).view(len(labels), -1, inputs.shape[1])
        start = _start(calls[some], size)
        out = room.parts[0][1][some] if len(room.parts) == 1 else batch.new_empty(len(labels), size)
        losses[some] = models.sprint(Batches(batch, labels, shares[some]), start, bench.loss, out)
        _whole(calls[some], start, out)
        if len(room.parts) > 1:
            for row, found in zip(room.rows[some], out, strict=True):
                row.copy_(found)
    return room.rows, losses.view(-1, course.width)


def _start(calls: Sequence[Call], size: int) -> Tensor:
    """Where the calls start, (n, size), or (1, size) if that is the same for all."""
    vectors: list[Tensor] = [call.inputs[0] for call in calls]
    if len({vector.data_ptr() for vector in vectors}) == 1:
        return vectors[0][None, :size]
    own = [vector[:size] for vector in vectors]
    (_, block), *others = matrices(own)
    return torch.stack(own) if others else block


def _whole(calls: Sequence[Call], start: Tensor, out: Tensor) -> None:
    """Adds the start where the model itself is asked for, not its change."""
    whole = [bool(call.args[1]) for call in calls]
    if all(whole):
        out.add_(start)
    elif any(whole):
        for row, begun, wanted in zip(out, start.expand_as(out), whole, strict=True):
            if wanted:
                row.add_(begun)
