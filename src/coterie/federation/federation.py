"""What every flow of a run knows: the plans, the schedule, and which jobs a step of the algorithm is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coterie.algorithms.jobs import Aggregated, Mixed, aggregate, mix
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.effects import Gather, M
from coterie.federation.messages import UPDATES, Message
from coterie.federation.plans import Planner, RoundPlan
from coterie.federation.routes import Routes
from coterie.federation.schedule import FOREVER, SYNCHRONOUS, Schedule
from coterie.federation.state import RoundState, View
from coterie.learning.jobs import Evaluated, Trained, evaluate, train

MixingWeights = Callable[[NodeId, tuple[NodeId, ...], Mapping[NodeId, int]], tuple[float, ...]]
"""(own id, the other ids in order, samples by id) → weights, own first, that sum to 1."""


@dataclass(frozen=True)
class Federation:
    """One run's static facts. Rebuilt from the scenario by every process; nothing in it changes.

    nodes: how many there are.
    planner: who does what, round by round.
    samples: training samples of each node, shape (nodes,).
    mixing: the weights of an exchange.
    training_seconds: how long each node's device takes for one round of training, shape (nodes,).
    tests: how many test samples of its own each node has, shape (nodes,).
    evaluate_every: evaluate after every so many rounds (and always after the last).
    sizes: how many numbers the vector of each kind of message has, where that does not depend on its value.
    everyone: whether all nodes get the final model.
    hands_over: whether a moving aggregator has server state to hand over.
    patience_seconds: how long a node waits to be sent a model before it gives up; a simulator notices by itself that
        nobody will, real nodes need a bound.
    linger_seconds: how long a proxy stays for those that need it.
    """

    nodes: int
    planner: Planner
    samples: NDArray[np.int64]
    tests: NDArray[np.int64]
    mixing: MixingWeights
    training_seconds: NDArray[np.float64]
    sizes: Mapping[type[Message], int]
    schedule: Schedule = SYNCHRONOUS
    evaluate_every: int = 1
    everyone: bool = True
    hands_over: bool = False
    patience_seconds: float = FOREVER
    linger_seconds: float = 60.0

    def plan(self, me: NodeId, number: int, view: View) -> RoundPlan:
        """The part of `me` in round `number`."""
        return self.planner.plan(me, number, view)

    def routes(self, number: int, view: View) -> Routes:
        """How messages of round `number` travel."""
        return self.planner.table(number, view).routes

    def holds(self, node: NodeId, number: int, view: View) -> bool:
        """Whether `node` publishes the model of round `number`."""
        return self.planner.holds(node, number, view)

    def publishers(self, me: NodeId, view: View) -> frozenset[NodeId]:
        """Who, apart from `me`, may ever publish a model."""
        return self.planner.publishers(view) - {me}

    def initially(self, me: NodeId, model: Handle) -> RoundState:
        """The state a node starts from; `model` is the initial vector, a public draw."""
        return RoundState(0, model, held=self.holds(me, 0, View()))

    def relays(self, me: NodeId) -> bool:
        """Whether `me` may ever be a proxy."""
        candidates = self.planner.roles.proxy.candidates
        return len(candidates) > 0 and bool(np.isin(me, candidates))

    def due(self, number: int) -> bool:
        """Whether the model of round `number` is to be evaluated."""
        return number % self.evaluate_every == 0

    def makers(self, number: int) -> int:
        """How many nodes made a model of round `number` in the round before."""
        return len(self.planner.table(max(number - 1, 0)).aggregators)

    def numbers(self, message: Message) -> int:
        """How many numbers the vector of `message` has."""
        if message.payload is None:
            return 0
        found = self.sizes.get(message.__class__)
        return int(message.payload.value.shape[0]) if found is None else found

    def gather(self, kind: type[M], number: int, senders: frozenset[NodeId], phase: int = UPDATES) -> Gather[M]:
        """Wait for a message of round `number` from each of `senders`, for as long as the schedule says."""
        schedule = self.schedule
        return Gather(
            kind,
            number,
            number,
            senders,
            need=schedule.need(len(senders)),
            grace_seconds=schedule.grace_seconds,
            deadline_seconds=schedule.deadline_seconds,
            phase=phase,
        )

    def weight(self, message: Message) -> int:
        """What a message counts for: the samples that its origin claims, but no more than it is known to have."""
        return min(message.weight, int(self.samples[message.origin]))

    # ---- jobs

    def train(self, me: NodeId, state: RoundState, *, whole: bool) -> Job[Trained]:
        """Local training of `me`; `whole` asks for the trained vector itself instead of the difference."""
        seconds = float(self.training_seconds[me])
        return train(state.model, state.client, node=me, round=state.round, seconds=seconds, whole=whole)

    def aggregate(self, me: NodeId, state: RoundState, updates: tuple[Message, ...]) -> Job[Aggregated]:
        """The aggregation rule over `updates` (in order of origin), then the algorithm's server step."""
        return aggregate(
            state.model,
            state.server,
            state.rule,
            tuple(message.payload for message in updates if message.payload is not None),
            weights=tuple(float(self.weight(message)) for message in updates),
            origins=tuple(int(message.origin) for message in updates),
            fraction=len(updates) / max(1, len(self.planner.roles.trainer.candidates)),
            node=me,
            round=state.round,
        )

    def mix(self, me: NodeId, state: RoundState, models: tuple[Message, ...]) -> Job[Mixed]:
        """The own model and those of `models` (in order of origin), mixed."""
        origins = tuple(message.origin for message in models)
        samples = {message.origin: self.weight(message) for message in models} | {me: int(self.samples[me])}
        return mix(
            state.model,
            tuple(message.payload for message in models if message.payload is not None),
            state.rule,
            weights=self.mixing(me, origins, samples),
            origins=tuple(int(origin) for origin in origins),
            node=me,
            round=state.round,
        )

    def evaluate(self, me: NodeId, model: Handle, number: int, on: Literal["common", "own"]) -> Job[Evaluated]:
        """Evaluation of `model`, that of round `number`, on the common test set or on the node's own test part."""
        return evaluate(model, node=me, round=number, on=on)
