"""The jobs of learning: local training and evaluation, as data. Known without torch; what runs them is imported by executors."""

from typing import Literal, NamedTuple

from coterie.core.jobs import Handle, Job, job_function

job_function("train", "coterie.learning.training", "train")
job_function("evaluate", "coterie.learning.evaluation", "evaluate")


class Trained(NamedTuple):
    """What a trainer has after a round.

    update: the sections of the algorithm's `update`, end to end. client: its new state (empty where the algorithm keeps none).
    facts: train_loss (the mean over the samples as they were trained on), samples (trained on, repeats counted), steps.
    """

    update: Handle
    client: Handle
    facts: Handle


class Evaluated(NamedTuple):
    """facts: the task's metric, further ones, and `loss`; with the ending `_own` if on nodes' own data."""

    facts: Handle


def train(
    model: Handle, client: Handle | None, *, node: int, round: int, steps: int | None = None, seconds: float = 0.0, whole: bool = False
) -> Job[Trained]:
    """Local training of `node` from a published vector (the model, then the algorithm's broadcast sections).

    client: the node's algorithm state, None before its first round. steps: optimizer steps, if not those of the settings.
    whole: the trained model itself in place of "delta", its difference from the start.
    """
    outputs = Trained(Handle(), Handle(), Handle())
    return Job("train", (model, client), (steps, whole), outputs, node=node, round=round, seconds=seconds)


def evaluate(model: Handle, *, node: int, round: int, on: Literal["common", "own", "each"], nodes: tuple[int, ...] = ()) -> Job[Evaluated]:
    """How good a published vector's model is: on the common test set, or on the own test part of `node`.

    A node without a test part has no facts. `each`: on the own part of each of `nodes` (all if empty) in one pass over the
    data; every fact is then a list, in their order, with NaN for a node without a test part.
    """
    return Job("evaluate", (model,), (on, nodes), Evaluated(Handle()), node=node, round=round)
