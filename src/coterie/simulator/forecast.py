"""A dry run: the whole timeline of a scenario, simulated without training anything.

The nodes run the very protocol, on the same clock, with the same draws; only the jobs are skipped, since what they compute does
not say when things happen. So the figures are those of the run itself, up to what depends on values: a target that is reached, a
rule's memory that is handed over, an update that is refused because it is not finite.
"""

import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.messages import Message
from coterie.federation.node import Refusal
from coterie.scenario.setup import Setup
from coterie.simulator.faulty import simulator_of
from coterie.simulator.network import Network
from coterie.simulator.simulator import Simulator
from coterie.simulator.work import JobGraph

NOTHING = np.empty(0, np.float32)


@dataclass(frozen=True)
class Use:
    """How busy something of the nodes is, as a share of the whole time: on average over those in use, and at the busiest."""

    mean: float
    most: float
    node: int


@dataclass(frozen=True)
class Forecast:
    """What a run would come to.

    ended_by: `rounds`, or which bound is spent. taking_part: nodes that train at least once. updates: trainings. refused: messages
    that come too late, or otherwise wrong, by reason. waiting_seconds: how long a trainer that is done waits for the last of its
    round, on average. away_seconds: how long a job waits, on average, for its node to be there. round_seconds: least, median and
    most. training, up, down: how busy devices and ends of the network are; up and down are None where there are no queues.
    real_seconds: what the forecast took.
    """

    nodes: int
    rounds: int
    ended_by: str
    virtual_seconds: float
    messages: int
    bytes: int
    updates: int
    taking_part: int
    refused: dict[str, int]
    waiting_seconds: float
    away_seconds: float
    round_seconds: tuple[float, float, float]
    training: Use | None
    up: Use | None
    down: Use | None
    real_seconds: float

    @property
    def bottleneck(self) -> tuple[str, Use] | None:
        """What is busiest: `training`, `up` or `down`, with the node it is of."""
        found = [(name, use) for name in ("training", "up", "down") if (use := getattr(self, name)) is not None]
        return max(found, key=lambda one: one[1].most) if found else None

    def plain(self) -> dict[str, Any]:
        """All figures as plain data."""
        busiest = self.bottleneck
        return asdict(self) | {"bottleneck": None if busiest is None else {"what": busiest[0], "node": busiest[1].node}}


class Undone:
    """Jobs that are never done: their results are there at once, and empty."""

    def add(self, job: Job[Any]) -> bool:
        """Give its results; there is never anything to flush."""
        for handle in job.outputs:
            if handle is not None:
                handle.value = NOTHING
        facts = getattr(job.outputs, "facts", None)
        if facts is not None:
            facts.value = {}
        return False

    def flush(self) -> None:
        """Nothing waits."""


class Notes:
    """What the forecast writes down: when rounds end, and what is refused."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.refused_for: Counter[str] = Counter()

    def sent(self, time: float, sender: NodeId, to: tuple[NodeId, ...], message: Message, size: int) -> None:
        """The timeline counts."""

    def reported(self, time: float, node: NodeId, round: int, facts: Handle) -> None:
        """There is nothing to report."""

    def refused(self, time: float, node: NodeId, refusal: Refusal) -> None:  # noqa: ARG002
        """By reason."""
        self.refused_for[refusal.problem.reason] += 1

    def round_done(self, time: float, round: int) -> None:  # noqa: ARG002
        """When it was."""
        self.ends.append(time)

    def issued(self, job: Job[Any]) -> None:
        """The timeline counts."""

    def computed(self) -> None:
        """Nothing is."""

    def happened(self, time: float, node: NodeId, what: str, detail: str) -> None:
        """Nothing is learned from it."""

    def fault(self, time: float, name: str, nodes: tuple[int, ...], until: float) -> None:
        """The simulator counts."""


def dry(setup: Setup) -> tuple[Simulator, Notes]:
    """A simulator of `setup` that does no job, not yet started, and what it will write down; raises ScenarioError."""
    notes, jobs = Notes(), cast("JobGraph", Undone())
    budget = replace(setup.budget(), target=None, converged=None)
    return simulator_of(setup, Handle(NOTHING), jobs, budget=budget, recorder=notes), notes


def forecast(setup: Setup) -> Forecast:
    """What running `setup` would come to; loads its data. Raises ScenarioError, and RunError where the run would stand still."""
    began = time.monotonic()
    simulator, notes = dry(setup)
    simulator.start()
    simulator.run()
    seen, network, budget = simulator.timeline, simulator.network, simulator.budget
    lengths = np.diff(notes.ends, prepend=0.0) if notes.ends else np.zeros(1)
    each = max(1, seen.updates)
    return Forecast(
        nodes=setup.nodes,
        rounds=len(notes.ends),
        ended_by=budget.reason or "rounds",
        virtual_seconds=simulator.finished_at,
        messages=seen.messages,
        bytes=seen.bytes,
        updates=seen.updates,
        taking_part=len(seen.training),
        refused=dict(sorted(notes.refused_for.items())),
        waiting_seconds=seen.waited_seconds / each,
        away_seconds=seen.unavailable_seconds / each,
        round_seconds=(float(lengths.min()), float(np.median(lengths)), float(lengths.max())),
        training=_use(list(seen.training.items()), simulator.finished_at),
        up=_ends(network, "up", simulator.finished_at),
        down=_ends(network, "down", simulator.finished_at),
        real_seconds=time.monotonic() - began,
    )


def _ends(network: Network, direction: str, whole: float) -> Use | None:
    busy = network.busy(direction)
    return None if busy is None else _use([(node, seconds) for node, seconds in enumerate(busy) if seconds], whole)


def _use(busy: list[tuple[int, float]], whole: float) -> Use | None:
    if not busy or whole <= 0:
        return None
    node, most = max(busy, key=lambda one: (one[1], -one[0]))
    return Use(sum(seconds for _, seconds in busy) / len(busy) / whole, most / whole, node)
