"""From a scenario to what runs: the task, the network, the federation and its budget. The same in every process."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie import topologies
from coterie.adversaries.plot import Plot, insiders
from coterie.aggregation.mixing import Mixing, of_node
from coterie.aggregation.rules import Rule
from coterie.aggregation.rules import build as build_rule
from coterie.algorithms.algorithm import Algorithm, first_model
from coterie.algorithms.algorithm import build as build_algorithm
from coterie.core import draws
from coterie.core.errors import Fault
from coterie.core.ids import NodeId
from coterie.federation import check
from coterie.federation.budget import Budget, Converged, Target
from coterie.federation.federation import Federation
from coterie.federation.membership import Membership
from coterie.federation.messages import Model, ServerState, Update
from coterie.federation.plans import Planner
from coterie.federation.roles import RoleRule, Roles
from coterie.federation.routes import UNREACHABLE
from coterie.federation.schedule import Schedule
from coterie.learning.batched.policy import Batching, Wanted, choose
from coterie.learning.network import Network
from coterie.learning.settings import Training
from coterie.scenario import conditions, defence, plotting
from coterie.scenario.roles import ALL, roles_of
from coterie.scenario.scenario import Scenario
from coterie.scenario.until import falls
from coterie.scenario.workload import Workload
from coterie.selection import Selection
from coterie.tasks import task as tasks
from coterie.tasks.dataset import Dataset
from coterie.tasks.ragged import Ragged
from coterie.tasks.task import FederatedTask
from coterie.topologies.graph import Graph
from coterie.trust.guard import Guard

if TYPE_CHECKING:
    from coterie.learning.bench import Bench


@dataclass(frozen=True)
class Setup:
    """A scenario made ready to run; the parts are made when they are first asked for.

    settled: how its nodes are batched, where an earlier process of the same run has settled that.
    """

    scenario: Scenario
    settled: Batching | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Another process makes the parts anew; samples come along if they are in memory, and are read from their file otherwise."""
        task = self.__dict__.get("task")
        in_memory = task is not None and isinstance(task.inputs, np.ndarray)
        return {"scenario": self.scenario, "settled": self.settled, **({"task": task} if in_memory else {})}

    def again(self, **settings: Any) -> "Setup":
        """The same samples under other settings, none of which is about the data."""
        other = Setup(self.scenario.changed(**settings))
        other.knows(self.task)
        return other

    def knows(self, task: FederatedTask) -> None:
        """Take what another process, or an earlier setup, has made of the data for the task."""
        self.__dict__["task"] = task

    @cached_property
    def task(self) -> FederatedTask:
        """The samples, dealt out to the nodes that ever train; raises ScenarioError."""
        return self.task_with(None)

    def task_with(self, visitors: Dataset | None) -> FederatedTask:
        """The task with samples from elsewhere as its common test set, where there are any; raises ScenarioError."""
        wanted = self.scenario
        partition, data = wanted.partition, wanted.task
        found = tasks.build(
            dataset=data.dataset,
            partition=partition.chosen,
            nodes=partition.pooled or self._learners,
            seed=wanted.seed,
            test_fraction=data.test_fraction,
            common_test_fraction=data.common_test_fraction,
            minimum=partition.minimum,
            preprocess=data.preprocess,
            folder=self.scenario.folder,
            visitors=visitors,
        )
        return found.pooled() if partition.pooled else found

    @property
    def _learners(self) -> int | None:
        """How many nodes ever train; None where the data decide how many nodes there are."""
        return None if self.scenario.nodes is None else len(self.trainers)

    @cached_property
    def nodes(self) -> int:
        """How many nodes there are."""
        return self.task.nodes if self.scenario.nodes is None else self.scenario.nodes

    @cached_property
    def roles(self) -> Roles:
        """Who does what; in a centralized federation over a sparse graph, nodes on the way forward as well."""
        wanted = self.scenario
        roles = roles_of(wanted.roles, self.nodes, wanted.seed, coupled=self.coupled)
        if self.coupled or not wanted.roles.proxy.nobody or wanted.roles.trainer.whole != ALL or self._all_neighbours:
            return roles
        return replace(roles, proxy=RoleRule(self._on_the_way(roles)))

    @property
    def _all_neighbours(self) -> bool:
        return self.graph.edge_count == self.nodes * (self.nodes - 1) // 2

    def _on_the_way(self, roles: Roles) -> NDArray[np.int64]:
        """The nodes inside shortest paths to any possible aggregator."""
        inner: set[int] = set()
        for target in roles.aggregator.candidates.tolist():
            hops = self.graph.paths_to(target).next_hop
            inner.update(np.setdiff1d(hops, [target, UNREACHABLE]).tolist())
            if len(inner) >= self.nodes - 1:
                break
        return np.array(sorted(inner), np.int64)

    @property
    def coupled(self) -> bool:
        """Whether every node keeps a model of its own: the federation is decentralized, and everybody aggregates."""
        return self.scenario.decentralized and self.scenario.roles.aggregator.everybody

    @property
    def trainers(self) -> NDArray[np.int64]:
        """The nodes that ever train, and so have samples."""
        return self.roles.trainer.candidates

    @cached_property
    def graph(self) -> Graph:
        """Who can talk to whom, a public draw."""
        wanted = self.scenario
        return topologies.make(wanted.topology.name, wanted.topology.params, self.nodes, wanted.seed, wanted.folder)

    @cached_property
    def shards(self) -> FederatedTask:
        """The task with an empty shard for each node that never trains."""
        if len(self.trainers) == self.nodes:
            return self.task
        return replace(self.task, train=self._spread(self.task.train), test=self._spread(self.task.test), names=())

    def _spread(self, parts: Ragged) -> Ragged:
        sizes = np.zeros(self.nodes, np.int64)
        sizes[self.trainers] = parts.sizes
        return Ragged(parts.indices, np.concatenate([[0], np.cumsum(sizes)]))

    @cached_property
    def plots(self) -> tuple[Plot, ...]:
        """What attackers do; raises ScenarioError."""
        return plotting.plots_of(self)

    @property
    def attackers(self) -> frozenset[int]:
        """The nodes that are attackers at any time."""
        return insiders(self.plots)

    @cached_property
    def network(self) -> Network:
        """The model's shape."""
        task = self.task
        return Network.of(self.scenario.task.model, task.features, task.outputs, vocabulary=task.vocabulary, folder=self.scenario.folder)

    @cached_property
    def algorithm(self) -> Algorithm:
        """What clients and servers compute."""
        return build_algorithm(self.scenario.algorithm)

    @cached_property
    def initial(self) -> NDArray[np.float32]:
        """The first published vector, a public draw."""
        return first_model(self.network.initial(self.scenario.seed), self.algorithm)

    @cached_property
    def federation(self) -> Federation:
        """The plans, the schedule, and what jobs cost."""
        wanted, task, size = self.scenario, self.shards, self.network.layout.size
        return Federation(
            nodes=self.nodes,
            planner=self.planner,
            samples=task.train.sizes,
            tests=task.test.sizes,
            mixing=self._mixing,
            training_seconds=self.workload.seconds,
            steps=self.workload.local_steps,
            effort=self.workload.effort if self.algorithm.normalizes else None,
            sizes={
                Update: size * len(self.algorithm.update),
                Model: size * (1 + len(self.algorithm.broadcast)),
                ServerState: size * len(self.algorithm.server_state),
            },
            schedule=self.schedule,
            evaluate_every=wanted.evaluation.every,
            everyone=self.everyone,
            hands_over=self._hands_over,
            remembers=bool(self.algorithm.client_state),
            membership=self.membership,
            opinions=self.guard is not None and self.guard.hears,
            uninvited=self.guard.uninvited if self.guard is not None and self.guard.chooses else None,
        )

    @property
    def membership(self) -> Membership | None:
        """How nodes see to it that others are there: as the scenario says, or as usual where faults are injected."""
        wanted = self.scenario.membership
        if wanted is not None:
            return wanted.made()
        waited_for = self.scenario.faults is None or any(check.membership_faults(self.planner))
        return None if waited_for else Membership()

    @property
    def _hands_over(self) -> bool:
        """Whether there is anything to hand over when the aggregator moves: the state of the algorithm or of the rule."""
        kept = "history" in self.scenario.aggregation.entry.inputs or self.scenario.trust is not None
        return bool(self.algorithm.server_state) or kept

    @cached_property
    def planner(self) -> Planner:
        """Who does what, round by round."""
        chosen = self.scenario.participation
        selection = Selection(chosen.name, chosen.entry.thing, chosen.params)
        sharing = self.scenario.sharing.made()
        wanted, seed = self.scenario.membership, self.scenario.seed
        stays = {} if wanted is None else wanted.stays(self.nodes)
        return Planner(self.graph, self.roles, selection, seed, sharing, asynchronous=self.schedule.asynchronous, stays=stays)

    @cached_property
    def schedule(self) -> Schedule:
        """When rounds close. Where nodes have models of their own there is no aggregator for FedAsync to move the model of."""
        made = self.scenario.schedule.made()
        return replace(made, mixing=None) if self.coupled else made

    @cached_property
    def workload(self) -> Workload:
        """What a round of training is for each node."""
        return Workload(self.scenario, self.network, self.shards.train.sizes, partial(conditions.training_seconds, self))

    @cached_property
    def _mixing_rule(self) -> Mixing:
        chosen = self.scenario.aggregation.mixing
        return partial(chosen.entry.thing, **chosen.params)

    def _mixing(self, me: NodeId, others: tuple[NodeId, ...], samples: tuple[int, ...], degrees: Mapping[NodeId, int]) -> tuple[float, ...]:
        met = tuple(degrees[node] for node in (me, *others)) if degrees else ()
        return self._mixing_weights(me, others, samples, met)

    @cached_property
    def _mixing_weights(self) -> Callable[[int, tuple[int, ...], tuple[int, ...], tuple[int, ...]], tuple[float, ...]]:
        """(own id, the others, samples of all, degrees of all if not the graph's) → weights; neighbourhoods come round after round."""
        degrees, nodes, rule = self.graph.degrees(), self.nodes, self._mixing_rule

        def weights(me: int, others: tuple[int, ...], samples: tuple[int, ...], met: tuple[int, ...]) -> tuple[float, ...]:
            sizes, found = np.zeros(nodes, np.int64), degrees
            sizes[[me, *others]] = samples
            if met:
                found = np.zeros(nodes, np.int64)
                found[[me, *others]] = met
            return of_node(rule, me, np.array(others, np.int64), found, sizes)

        return lru_cache(maxsize=65536)(weights)

    def budget(self) -> Budget:
        """When the run is over; fresh for each run."""
        until, metric = self.scenario.until, self.task.metric
        target, converged = until.target, until.converged
        named = None if target is None else target.metric or metric
        return Budget(
            until.rounds,
            None if target is None or named is None else Target(named, target.value, falls(named)),
            None if converged is None else Converged(converged.metric, converged.patience, converged.tolerance, falls(converged.metric)),
            seconds=until.virtual_seconds or math.inf,
            updates=until.updates or math.inf,
            bytes=until.bytes or math.inf,
            together=not (self.coupled and self.schedule.asynchronous),
        )

    @property
    def everyone(self) -> bool:
        """Whether every node gets the final model; among very many weak ones only those that are asked get any."""
        return self.scenario.everyone

    @property
    def raw_bytes(self) -> int:
        """Bytes of samples that leave the node they belong to: none, unless everything is brought together."""
        return self.task.dataset_bytes if self.scenario.partition.pooled else 0

    def faults(self) -> list[Fault]:
        """What is wrong between roles, topology and algorithm; needs no data where the number of nodes is given."""
        found = check.faults(
            self.planner,
            self.scenario.until.rounds,
            everyone=self.everyone,
            isolated=self.scenario.topology.name == "isolated",
            hands_over=self._hands_over,
        )
        found = found or check.schedule_faults(self.planner, self.schedule) or list(plotting.faults(self))
        return found or ([] if self.scenario.membership is None else list(check.membership_faults(self.planner)))

    @property
    def training(self) -> Training:
        """How nodes train."""
        wanted = {name: getattr(self.scenario.training, name) for name in Training.__dataclass_fields__}
        if wanted["epochs"] is None:
            del wanted["epochs"]
        return Training(**wanted)

    @property
    def rule(self) -> Rule:
        """How updates become one."""
        return build_rule(self.scenario.aggregation.name, **self.scenario.aggregation.params)

    @cached_property
    def guard(self) -> Guard | None:
        """What looks at updates before the rule does, if anything."""
        return defence.guard_of(self)

    @cached_property
    def batching(self) -> Batching:
        """How many nodes' models the engine trains at a time; with a module of the user's own it is tried what can be done."""
        wanted = self.scenario
        return self.settled or choose(
            Wanted(
                engine=wanted.engine,
                network=self.network,
                training=self.training,
                algorithm=self.algorithm,
                device=wanted.training.device,
                chunk=wanted.executor.chunk,
                task=self.shards,
                together=self._together,
                trial=lambda how: self._bench(wanted.engine, None).wanted.trial(how),  # noqa: PLW0108 - made only if it is tried
            )
        )

    @property
    def _together(self) -> int:
        return len(self.planner.table(0).trainers)

    def bench(self, engine: Literal["exact", "fast"] | None = None) -> "Bench":
        """What jobs are run with; one in each process. engine: in place of the scenario's; real nodes take exact."""
        engine = engine or self.scenario.engine
        return self._bench(engine, self.batching if engine == self.scenario.engine else None)

    def _bench(self, engine: Literal["exact", "fast"], chosen: Batching | None) -> "Bench":
        from coterie.learning.bench import Bench

        wanted = self.scenario
        task, poisoning = plotting.poisoned(self)
        return Bench(
            task=task,
            network=self.network,
            training=self.training,
            algorithm=self.algorithm,
            rule=self.rule,
            secret=partial(draws.derived_secret, wanted.seed),
            device=wanted.training.device,
            engine=engine,
            chunk=wanted.executor.chunk,
            together=self._together,
            makers=len(self.planner.table(0).aggregators),
            chosen=chosen,
            rounds=wanted.until.rounds,
            folder=self.scenario.folder,
            guard=self.guard,
            poisoning=poisoning,
        )
