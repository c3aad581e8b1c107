"""The user's own local training: `(model, data, context) -> (model, samples, metrics)`, unbatched.

Only what it does to the model's values counts: it may use any optimizer and loss of torch, and may return the model it was
given or another one with the same parameters.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from coterie.core.draws import Orders
from coterie.core.errors import ScenarioError
from coterie.learning.bench import Bench
from coterie.learning.replica import ModuleReplica
from coterie.learning.settings import Training
from coterie.learning.shards import Batch, Passes, batches

FEWEST = 2
"""Samples that a function is tried on, where the node has so many: some modules cannot be trained on one."""


@dataclass(frozen=True)
class Data:
    """The training part of the node: inputs (n, *features), targets (n,)."""

    inputs: Tensor
    targets: Tensor

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Context:
    """What else the user's function may want to know.

    node, round: where it is. settings: those of the scenario. learning_rate: of this round. loss: of the scenario, a function of
    (outputs, targets). draw: the node's own random numbers for this round (torch's global ones are a draw of its own, too).
    orders: the random orders of its samples. least: the smallest batch that the model can train on.
    """

    node: int
    round: int
    device: str
    settings: Training
    learning_rate: float
    loss: Callable[[Tensor, Tensor], Tensor]
    draw: np.random.Generator
    orders: Orders
    least: int = 1

    def batches(self, data: Data) -> list[Batch]:
        """The batches of the scenario's settings (size, epochs or steps), in a random order of the node's own."""
        return list(batches((data.inputs, data.targets), Passes.of(len(data), self.settings, least=self.least), lambda: self.orders))


def run(bench: Bench, node: int, round: int) -> dict[str, float]:
    """Lets the user's function train what the bench's replica holds; gives its metrics and `samples`; raises ScenarioError."""
    return _run(bench, node, round, Data(*bench.train_shards[bench.shard(node, round)]))


def tried(bench: Bench, node: int) -> str:
    """What is wrong with the user's function as far as one batch of a node's samples shows, in words; empty where nothing is.

    Changes nothing but the bench's replica. Raises ScenarioError where the function gives something else than it should.
    """
    inputs, targets = bench.train_shards[node]
    size = max(bench.training.batch_size or len(targets), FEWEST)
    bench.replica.load(torch.from_numpy(bench.network.initial(0)))
    try:
        with bench.seeded(node, 0):
            _run(bench, node, 0, Data(inputs[:size], targets[:size]))
    except ScenarioError:
        raise
    except Exception as error:  # noqa: BLE001 - it is the user's code
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"fails on one batch: {type(error).__name__}: {error} ({last.filename}, line {last.lineno}, in {last.name})"
    return ""


def _run(bench: Bench, node: int, round: int, data: Data) -> dict[str, float]:
    replica, function = bench.replica, bench.function
    assert isinstance(replica, ModuleReplica)
    assert function is not None
    draw, rate = bench.draw(node, "training", round), bench.rate(round, 0)
    context = Context(node, round, bench.device, bench.training, rate, bench.loss.mean, draw, bench.orders(node, round), replica.least)
    replica.module.train()
    module, samples, metrics = _three(function(replica.module, data, context))
    replica.take(module)
    return {name: float(value) for name, value in metrics.items()} | {"samples": int(samples)}


def _three(found: Any) -> tuple[nn.Module, int, Mapping[str, float]]:
    match found:
        case (nn.Module() as module, samples, Mapping() as metrics):
            return module, samples, metrics
        case tuple():
            problem = f"gives ({', '.join(type(part).__name__ for part in found)})"
        case _:
            problem = f"gives a {type(found).__name__}"
    raise ScenarioError.at("training.function", problem, "return (model: torch.nn.Module, samples: int, metrics: dict)")
