"""Which executor does the heavy work of a run."""

import math
from pathlib import Path
from typing import NamedTuple

from coterie.core.jobs import Executor
from coterie.learning.executors import cores
from coterie.scenario.setup import Setup
from coterie.scenario.workload import BACKWARD

HANDING_SECONDS = 150e-6
"""What it costs to hand a node's training to another process and its result back, with some margin (`executor: auto`)."""
EXCHANGE_SECONDS = 2e-8
"""What it costs more, for each number of a model, where neighbours' models are mixed: every process then reads nearly all of them."""
OPERATIONS_A_SECOND = 4e10
STEP_SECONDS = {"products": 150e-6, "vmap": 1e-3, "one by one": 80e-6}
"""What a core computes, and what a training step costs before anything is computed: of so many nodes as train at a time."""


class Choice(NamedTuple):
    """An executor by name, and why it was taken."""

    name: str
    why: str


def choice(setup: Setup) -> Choice:
    """The executor that the scenario asks for; `auto` takes processes where several nodes train at a time, for long enough."""
    if setup.scenario.executor.name != "auto":
        return Choice(setup.scenario.executor.name, "the scenario says so")
    alone = _alone(setup)
    if alone:
        return Choice("inline", alone)
    seconds, handing = work_seconds(setup), HANDING_SECONDS + EXCHANGE_SECONDS * setup.network.layout.size * setup.coupled
    about = f"a node's round is about {1e3 * seconds:.3g} ms of work"
    if seconds < handing:
        return Choice("inline", f"{about}, done sooner than handed to another process")
    return Choice("processes", f"{about}, enough for several processes")


def _alone(setup: Setup) -> str:
    """Why a second process would have nothing to do, or an empty string."""
    together = len(setup.planner.table(0).trainers)
    if setup.scenario.training.device != "cpu":
        return f"everything is on the device {setup.scenario.training.device}"
    if together < 2:
        return "one node trains at a time"
    if setup.batching.nodes >= together:
        return "all nodes of a round train at once"
    return "there is one core" if cores() < 2 else ""


def work_seconds(setup: Setup) -> float:
    """About how long a core trains one node in a round: an estimate from sizes, on no particular machine."""
    training, batching, sizes = setup.scenario.training, setup.batching, setup.shards.train.sizes[setup.trainers]
    size = max(1.0, float(sizes.mean()))
    batch = min(size, training.batch_size or size)
    steps = training.steps or math.ceil(size / batch) * (training.epochs or 1)
    operations = BACKWARD * setup.network.flops * steps * batch
    return operations / OPERATIONS_A_SECOND + steps * STEP_SECONDS[batching.how] / batching.nodes


def executor_of(setup: Setup, folder: Path) -> Executor:
    """It, started, with what nodes keep between rounds in `folder` where that is too much for the memory; raises ScenarioError."""
    from coterie.learning import executors, states

    wanted, numbers = setup.scenario.executor, setup.network.layout.size * len(setup.algorithm.client_state)
    executor = executors.build(choice(setup).name, setup.bench, wanted.workers, wanted.address)
    if states.on_disk(wanted.states, len(setup.trainers), numbers):
        return states.KeepsStates(executor, numbers, folder)
    return executor
