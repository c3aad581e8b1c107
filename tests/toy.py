"""Federations that cost nothing: a model is five numbers, and training node i adds i + 1 to each of them.

For tests of the protocol: flows, drivers, plans and messages are the real ones, only the arithmetic is a toy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from coterie.core import draws
from coterie.core.jobs import Handle, Job
from coterie.federation.budget import Budget
from coterie.federation.federation import Federation
from coterie.federation.messages import Model, ServerState, Update
from coterie.federation.plans import Planner
from coterie.federation.roles import RoleRule, Roles
from coterie.federation.schedule import SYNCHRONOUS, Schedule
from coterie.federation.sharing import EVERYBODY, Sharing
from coterie.selection import SELECTIONS
from coterie.simulator.faulty import FaultySimulator
from coterie.simulator.injections import Injection, Injections
from coterie.simulator.network import Network
from coterie.simulator.simulator import Simulator
from coterie.simulator.work import JobGraph
from coterie.topologies import TOPOLOGIES

NUMBERS = 5


class ToyExecutor:
    """Runs the jobs of a federation on five numbers."""

    def run(self, jobs: Sequence[Job[Any]]) -> None:
        """Do them in order."""
        for job in jobs:
            model, outputs = job.inputs[0].value, job.outputs
            if job.function == "train":
                outputs.update.value = model * job.args[-1] + job.node + 1
                outputs.client.value = np.empty(0, np.float32)
                outputs.facts.value = {"train_loss": 1.0, "samples": 1, "steps": 1}
            elif job.function == "evaluate":
                suffix = "" if job.args[0] == "common" else "_own"
                outputs.facts.value = {f"accuracy{suffix}": float(model[0])}
            elif job.function == "aggregate":
                weights, updates = np.array(job.args[0]), [handle.value for handle in job.inputs[3:]]
                updates = [update * np.float32(scale) for update, scale in zip(updates, job.args[4] or [1] * len(updates), strict=True)]
                outputs.model.value = model + np.einsum("i,ij->j", weights / weights.sum(), np.array(updates)).astype(np.float32)
                outputs.server.value = np.full(NUMBERS, job.round, np.float32)
                outputs.rule.value = np.empty(0, np.float32)
                outputs.facts.value = {}
            elif job.function == "shift":
                plus, minus, (weight, _, towards) = job.inputs[1].value, job.inputs[2], job.args
                less = model if towards else 0 if minus is None else minus.value
                outputs.model.value = model + np.float32(weight) * (plus - less)
                outputs.facts.value = {}
            else:
                rows = [model, *(handle.value for handle in job.inputs[2:])]
                outputs.model.value = np.einsum("i,ij->j", np.array(job.args[0]), np.array(rows)).astype(np.float32)
                outputs.rule.value = np.empty(0, np.float32)
                outputs.facts.value = {}

    def close(self) -> None:
        """Nothing to end."""


class Silent:
    """A recorder that only counts."""

    def __init__(self) -> None:
        self.messages, self.rounds, self.refusals, self.faults, self.happenings = 0, [], [], [], []

    def sent(self, time, sender, to, message, size):
        self.messages += len(to)

    def reported(self, time, node, round, facts):
        pass

    def refused(self, time, node, refusal):
        self.refusals.append(refusal.problem.reason)

    def round_done(self, time, round):
        self.rounds.append(round)

    def issued(self, job):
        pass

    def computed(self):
        pass

    def happened(self, time, node, what, detail):
        self.happenings.append((time, node, what, detail))

    def fault(self, time, name, nodes, until):
        self.faults.append((time, name, nodes, until))


def graph(name: str, nodes: int, **params):
    """A topology by name."""
    entry = TOPOLOGIES.entry(name)
    return entry.thing(nodes, draws.public(0, "topology"), **entry.check(params))


def roles_of(architecture: str, nodes: int) -> Roles:
    """The roles of a preset architecture."""
    everybody = np.arange(nodes)
    match architecture:
        case "centralized":
            return Roles(RoleRule(everybody), RoleRule(np.array([0])))
        case "semi-decentralized":
            return Roles(RoleRule(everybody), RoleRule(everybody, 1))
    return Roles(RoleRule(everybody), RoleRule(everybody), coupled=True)


def rule(ids, **settings) -> RoleRule:
    """A role for some nodes."""
    return RoleRule(np.array(sorted(ids), dtype=np.int64), **settings)


def federation(
    nodes: int,
    topology: str = "full",
    architecture: str = "centralized",
    *,
    topology_params=None,
    roles: Roles | None = None,
    participation: Any = ("all", {}),
    seconds: Any = 0.1,
    schedule: Schedule = SYNCHRONOUS,
    sharing: Sharing = EVERYBODY,
    stays=None,
    **settings,
) -> Federation:
    """A federation of the given shape."""
    entry = SELECTIONS.entry(participation[0])
    params = entry.check(participation[1])

    def select(number, eligible, draw):
        return entry.thing(number, eligible, draw, **params)

    select.name = participation[0]
    shape = graph(topology, nodes, **(topology_params or {})), roles or roles_of(architecture, nodes)
    planner = Planner(*shape, select, 0, sharing, asynchronous=schedule.asynchronous, stays=stays or {})
    return Federation(
        nodes,
        planner,
        samples=np.ones(nodes, np.int64),
        tests=np.ones(nodes, np.int64),
        mixing=lambda me, others, samples, degrees: (1 / (1 + len(others)),) * (1 + len(others)),
        training_seconds=np.broadcast_to(np.asarray(seconds, float), (nodes,)),
        sizes={Update: NUMBERS, Model: NUMBERS, ServerState: NUMBERS},
        schedule=schedule,
        **settings,
    )


def initial() -> Handle:
    """The initial model: zeros."""
    return Handle(np.zeros(NUMBERS, np.float32))


def simulator(shape: Federation, rounds: int = 3, *, budget: Budget | None = None, window: int = 100) -> Simulator:
    """A simulator of `shape`, not yet started."""
    jobs = JobGraph(ToyExecutor(), window)
    return Simulator(shape, initial(), jobs, budget=budget or Budget(rounds), recorder=Silent(), network=Network())


def faulty(
    shape: Federation, injections: Sequence[Injection], rounds: int = 3, *, seed: int = 0, until_seconds: float = 1000.0, **settings
) -> FaultySimulator:
    """A simulator of `shape` whose nodes and links fail."""
    found = Injections(tuple(injections), shape.planner.graph, seed, until_seconds=until_seconds, **settings)
    jobs, budget = JobGraph(ToyExecutor(), 100), Budget(rounds)
    return FaultySimulator(shape, initial(), jobs, budget=budget, recorder=Silent(), network=Network(), injections=found)


def results(run: Simulator) -> list[tuple[int, float]]:
    """(round, first number of the model) of each node."""
    return [(state.round, float(state.model.value[0])) for state in map(run.result, range(run.federation.nodes))]
