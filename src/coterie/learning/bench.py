"""The bench: all that job functions work with, one in each process that runs jobs."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from coterie.aggregation.rules import Rule, SumRule
from coterie.core import draws, own_code
from coterie.core.errors import ScenarioError
from coterie.learning import losses, metrics
from coterie.learning.algorithm import Algorithm
from coterie.learning.batched.models import Models, models_of
from coterie.learning.batched.policy import Batching, Wanted, choose
from coterie.learning.batched.pool import Pool, Room, room_of
from coterie.learning.batched.row import Row, row_of
from coterie.learning.network import Network
from coterie.learning.optimizers import OPTIMIZERS, Optimizer
from coterie.learning.poisoning import Poisoning, Probe
from coterie.learning.replica import Replica, replica_of
from coterie.learning.schedules import SCHEDULES
from coterie.learning.settings import Training
from coterie.learning.shards import Shards, tensor
from coterie.tasks.choices import parts
from coterie.tasks.stored import Stored
from coterie.tasks.task import FederatedTask
from coterie.trust.guard import Guard

Engine = Literal["exact", "fast"]


@dataclass(eq=False, kw_only=True)
class Bench:
    """What one process trains, evaluates and aggregates with.

    task: the samples (a real node's holds its own only). algorithm: of `coterie.algorithms`. rule: how an aggregator combines.
    secret: a node's secret, what its private draws are keyed by. device: where samples and models are. engine: how job functions
    treat their many calls: `exact` one by one, each with the bits it would have alone; `fast` batched where that can be done (see
    `batched`). chunk: how many models are batched at a time, 1 for one by one, by default what suits them. together: how many nodes
    train at a time, makers: how many make a model in a round, where that is known. chosen: how they are batched, where that was
    settled before. rounds: how long the run is, where that is known. folder: the scenario's, where the user's own code is. guard: what
    looks at updates before the rule does.
    poisoning: what attackers train on, behind the task's own samples.
    """

    task: FederatedTask
    network: Network
    training: Training
    algorithm: Algorithm
    rule: Rule
    secret: Callable[[int], bytes]
    device: str = "cpu"
    engine: Engine = "exact"
    chunk: int | None = None
    together: int | None = None
    makers: int | None = None
    chosen: Batching | None = None
    rounds: int | None = None
    folder: str | None = None
    guard: Guard | None = None
    poisoning: Poisoning | None = None
    allocate: Callable[[int], Tensor] | None = field(default=None, repr=False)
    """How to make room for a result of so many numbers; an executor that shares memory sets it."""
    pool: Pool = field(default_factory=Pool, init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            torch.empty(0, device=self.device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).partition("\n")[0]
            raise ScenarioError.at("training.device", f"there is no device {self.device!r} here: {reason}", "use cpu") from None

    def empty(self, size: int) -> Tensor:
        """Room (size,) for a result that leaves the process, of no particular values."""
        return torch.empty(size, device=self.device) if self.allocate is None else self.allocate(size)

    def room(self, count: int, size: int) -> Room:
        """Room for `count` results (size,) that leave the process, each contiguous."""
        if self.allocate is not None:
            return room_of([self.allocate(size) for _ in range(count)])
        block = self.pool.block(count, size) if self.device == "cpu" else torch.empty(count, size, device=self.device)
        return Room(list(block.unbind(0)), [(slice(count), block)])

    def warm(self) -> None:
        """Makes what every job needs, so that processes forked from this one share it; raises ScenarioError."""
        _ = self.batched
        _ = self.replica, self.slots, self.train_shards, self.test_shards, self.common, self.loss, self.metrics, self.rate, self.function

    def draw(self, node: int, purpose: str, *where: int) -> np.random.Generator:
        """A private draw of `node`."""
        return draws.private(self.secret(node), purpose, *where)

    def orders(self, node: int, round: int) -> draws.Orders:
        """The random orders in which `node` goes over its samples in a round."""
        return draws.Orders(self.order_keys([node], round))

    def order_keys(self, nodes: Iterable[int], round: int) -> NDArray[np.uint64]:
        """The keys (n,) of the orders of `nodes`."""
        return draws.private_keys(map(self.secret, nodes), "batches", round)

    def seeded(self, node: int, round: int) -> AbstractContextManager[None]:
        """While it is open, torch's own random numbers (dropout) are a private draw of `node`; built-in models need none."""
        if self.network.factory is None and self.training.function is None:
            return nullcontext()
        return _seeded(int(self.draw(node, "torch", round).integers(2**63)), self.device)

    @cached_property
    def size(self) -> int:
        """How many numbers a model is."""
        return self.network.layout.size

    @cached_property
    def trained(self) -> int:
        """How many of them, at the front, are trained."""
        return self.network.layout.trainable

    @cached_property
    def replica(self) -> Replica:
        """The model that this process works with, one job after the other."""
        module = self.training.function is not None
        return replica_of(self.network, self.device, module=module, precision=self.training.precision)

    @cached_property
    def slots(self) -> list[Tensor]:
        """The optimizer's state vectors, to be zeroed before use."""
        return [torch.zeros_like(self.replica.parameters) for _ in range(self.optimizer.slots)]

    @cached_property
    def batching(self) -> Batching:
        """How many nodes' models are trained."""
        return self.chosen or choose(self.wanted)

    @property
    def wanted(self) -> Wanted:
        """What is to be trained, for the choice of a way."""
        from coterie.learning.batched.trial import refusal

        return Wanted(
            engine=self.engine,
            network=self.network,
            training=self.training,
            algorithm=self.algorithm,
            device=self.device,
            chunk=self.chunk,
            task=self.task,
            together=self.together,
            trial=lambda how: refusal(self, how),
        )

    @cached_property
    def batched(self) -> Models | None:
        """The models of a chunk, where many are trained at a time."""
        how, nodes = self.batching.how, self.batching.nodes
        return None if how == "one by one" else models_of(self, how, nodes)

    @cached_property
    def mixing_row(self) -> Callable[[tuple[int, ...], tuple[float, ...]], Row | None]:
        """(ids, weights) → a node's row of the mixing matrix; the same neighbourhood comes round after round."""
        assert isinstance(self.rule, SumRule)
        return lru_cache(maxsize=65536)(partial(row_of, self.rule))

    @cached_property
    def largest_shard(self) -> int:
        """How many training samples the node with most has."""
        return self.task.largest

    @cached_property
    def train_shards(self) -> Shards:
        """Every node's training part."""
        return Shards(*self._samples, self.task.train if self.poisoning is None else self.poisoning.behind(self.task.train))

    def shard(self, node: int, round: int) -> int:
        """Which of `train_shards` the node trains on in a round: its own, or what an attacker puts in its place."""
        part = None if self.poisoning is None else self.poisoning.part(node, round)
        return node if part is None else len(self.task.train) + part

    @cached_property
    def probes(self) -> list[tuple[Probe, Tensor]]:
        """What tells how well attacks succeed, and its inputs."""
        return [] if self.poisoning is None else [(probe, tensor(probe.inputs, self.device)) for probe in self.poisoning.probes]

    @cached_property
    def test_shards(self) -> Shards:
        """Every node's own test part."""
        return Shards(*self._samples, self.task.test)

    @cached_property
    def common(self) -> tuple[Tensor, Tensor]:
        """The common test set."""
        return tensor(self.task.common_inputs, self.device), tensor(self.task.common_targets, self.device)

    @cached_property
    def _samples(self) -> tuple[Tensor | Stored, Tensor]:
        inputs, targets = self.task.inputs, tensor(self.task.targets, self.device)
        return inputs if isinstance(inputs, Stored) else tensor(inputs, self.device), targets

    @cached_property
    def optimizer(self) -> Optimizer:
        """The optimizer of the settings; raises ScenarioError."""
        name, params = parts(self.training.optimizer)
        entry = OPTIMIZERS.entry(name, "training.optimizer")
        return entry.thing(**entry.check(params, "training.optimizer"))

    @cached_property
    def rate(self) -> Callable[[int, int], float]:
        """(round, step) → the learning rate."""
        name, params = parts(self.training.learning_rate_schedule)
        entry = SCHEDULES.entry(name, "training.learning_rate_schedule")
        checked = entry.check(params, "training.learning_rate_schedule")
        base, by_round = self.optimizer.learning_rate, self.training.schedule_by == "round"
        return lambda number, step: base * entry.thing(number if by_round else step, **checked)

    @cached_property
    def loss(self) -> losses.Loss:
        """The loss of the settings, or the one that suits the task."""
        name = self.training.loss or ("cross-entropy" if self.task.kind == "classification" else "squared-error")
        return losses.Own(own_code.load(name, "training.loss", self.folder)) if own_code.is_own(name) else losses.LOSSES[name]()

    @cached_property
    def metrics(self) -> dict[str, metrics.Metric]:
        """Metrics by the name they are reported under: the task's own, then those of the settings."""
        found: dict[str, metrics.Metric] = {}
        for name in (self.task.metric, *self.training.metrics):
            if own_code.is_own(name):
                found[name.rpartition(":")[2].rpartition(".")[2]] = metrics.Own(own_code.load(name, "training.metrics", self.folder))
            else:
                found[name] = metrics.METRICS[name]()
        return found

    @cached_property
    def function(self) -> Callable[..., Any] | None:
        """The user's own local training, if there is one."""
        name = self.training.function
        return None if name is None else own_code.load(name, "training.function", self.folder)


@contextmanager
def _seeded(seed: int, device: str) -> Iterator[None]:
    """Torch's global random state, set for a while and put back."""
    with torch.random.fork_rng(devices=[] if device == "cpu" else [device]):
        torch.manual_seed(seed)
        yield
