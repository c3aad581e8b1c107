"""Local training: what the job `train` does.

Rule: a call's bits depend on its inputs, its node's data and secret and the settings alone; not on what ran before in this
process, not on the calls beside it, not on the executor.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from coterie.core.jobs import Call
from coterie.learning import own_training
from coterie.learning.algorithm import Sections
from coterie.learning.bench import Bench
from coterie.learning.calls import one_by_one
from coterie.learning.shards import Passes


def train(bench: Bench, calls: Sequence[Call]) -> Sequence[tuple[Any, ...]]:
    """The job: inputs (published vector, client state or None), args (steps or None, whole); gives (update, client state, facts).

    The engine `fast` trains many nodes as one computation where it can (see `batched`); `exact` trains one after the other.
    """
    if bench.batched is None:
        return _exact(bench, calls)
    from coterie.learning.batched.training import train as at_once

    return at_once(bench, bench.batched, calls)


@one_by_one("train")
def _exact(bench: Bench, call: Call) -> tuple[Any, ...]:
    (model, client), (steps, whole) = call.inputs, call.args
    return local(bench, call.node, call.round, model, client, steps=steps, whole=whole)


class Departure(NamedTuple):
    """Where local training starts: trained parts of the model and of the algorithm's sections. Not to be changed."""

    start: Tensor
    broadcast: Sections
    client: Sections


def local(
    bench: Bench, node: int, round: int, model: Tensor, client: Tensor | None, *, steps: int | None = None, whole: bool = False
) -> tuple[Tensor, Tensor, dict[str, float]]:
    """(update, client state, facts) of a node's local training from a published vector; see `jobs.train`."""
    replica, trained = bench.replica, bench.trained
    state = sections(bench, client) or zeros(bench, len(bench.algorithm.client_state), model)
    at = Departure(model[:trained], sections(bench, model[bench.size :]), state)
    with bench.seeded(node, round):
        replica.load(model[: bench.size])
        if bench.function is None:
            moved, facts = descend(bench, node, round, at, steps)
        else:
            moved, facts = 0.0, own_training.run(bench, node, round)
    replica.settle()
    sent, state = bench.algorithm.finish(at.start, replica.parameters, at.broadcast, at.client, moved)
    update = joined(bench, sent)
    if whole:
        update[: bench.size] = replica.vector
        if bench.algorithm.rewrites:
            update[:trained] = at.start + sent[0]
    elif trained < bench.size:
        update[trained : bench.size] = replica.vector[trained:] - model[trained : bench.size]
    return update, joined(bench, state), facts


def descend(bench: Bench, node: int, round: int, at: Departure, steps: int | None) -> tuple[float, dict[str, float]]:
    """Trains the bench's replica, which holds the model `at` its start, on a node's part; gives (sum of learning rates, facts)."""
    replica, settings, term, step_once = bench.replica, bench.training, bench.algorithm.gradient, bench.optimizer.step
    shard = bench.shard(node, round)
    passes = Passes.of(bench.train_shards.size(shard), settings, steps, replica.least)
    order = bench.train_shards.batches(shard, passes, lambda: bench.orders(node, round))
    moved, seen, lost = 0.0, [], []
    for slot in bench.slots:
        slot.zero_()
    for step, (inputs, targets) in enumerate(order):
        lost.append(replica.differentiate(inputs, targets, bench.loss))
        seen.append(targets.shape[0])
        gradient = replica.gradient
        if settings.clip_norm is not None:
            clip(gradient, settings.clip_norm)
        if term is not None:
            gradient = term(gradient, replica.parameters, *at)
        rate = bench.rate(round, step)
        step_once(replica.parameters, gradient, bench.slots, rate, step + 1)
        moved += rate
    losses = torch.stack(lost).tolist() if len(lost) > 1 else [lost[0].item()]
    total = sum(seen)
    mean = sum(loss * count for loss, count in zip(losses, seen, strict=True)) / total
    return moved, {"train_loss": mean, "samples": total, "steps": len(seen)}


def clip(gradient: Tensor, largest: float) -> None:
    """Scales `gradient` in place so that its Euclidean norm is at most `largest` (as torch.nn.utils.clip_grad_norm_)."""
    gradient.mul_((largest / (gradient.norm() + 1e-6)).clamp_(max=1.0))


def sections(bench: Bench, vector: Tensor | None) -> tuple[Tensor, ...]:
    """The trained parts of the sections laid end to end in `vector`, as views; none of None or an empty vector."""
    if vector is None:
        return ()
    return tuple(vector[first : first + bench.trained] for first in range(0, vector.shape[0], bench.size))


def zeros(bench: Bench, count: int, like: Tensor) -> tuple[Tensor, ...]:
    """`count` trained sections of zeros."""
    return tuple(like.new_zeros(bench.trained) for _ in range(count))


def joined(bench: Bench, found: Sequence[Tensor]) -> Tensor:
    """A result that holds the trained sections `found` end to end, with zeros for what is not trained."""
    size, trained = bench.size, bench.trained
    vector = bench.empty(len(found) * size)
    for place, section in enumerate(found):
        first = place * size
        vector[first : first + trained] = section
        if trained < size:
            vector[first + trained : first + size] = 0
    return vector
