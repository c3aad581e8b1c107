"""What every flow of a run knows: the plans, the schedule, and which jobs a step of the algorithm is."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.algorithms.jobs import Aggregated, Mixed, Shifted, aggregate, mix, shift
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.effects import Gather, M
from coterie.federation.membership import Membership
from coterie.federation.messages import EXCHANGE, UPDATES, Message, Model, Update
from coterie.federation.plans import Planner, RoundPlan
from coterie.federation.routes import UNREACHABLE, Routes
from coterie.federation.schedule import FOREVER, SYNCHRONOUS, Schedule
from coterie.federation.state import RoundState, View, replace
from coterie.learning.jobs import Evaluated, Trained, evaluate, train

MixingWeights = Callable[[NodeId, tuple[NodeId, ...], tuple[int, ...], Mapping[NodeId, int]], tuple[float, ...]]
"""(own id, the other ids in order, samples, own first, degrees by id where they are not those of the graph) → weights, own first; sum 1."""

ROUNDS_LOOKED_AHEAD = 1000
"""A node that takes part in none of so many rounds takes whatever model comes."""


@dataclass(frozen=True)
class Federation:
    """One run's static facts. Rebuilt from the scenario by every process; nothing in it changes.

    nodes: how many there are.
    planner: who does what, round by round.
    samples: training samples of each node, shape (nodes,).
    mixing: the weights of an exchange.
    training_seconds: how long each node's device takes for one round of training, shape (nodes,).
    steps: optimizer steps of each node in a round, shape (nodes,), where they are chosen by how fast its device is.
    effort: what each node's training amounts to, in steps of plain gradient descent, shape (nodes,), where that is normalised (FedNova).
    tests: how many test samples of its own each node has, shape (nodes,).
    evaluate_every: evaluate after every so many rounds (and always after the last).
    sizes: how many numbers the vector of each kind of message has, where that does not depend on its value.
    everyone: whether all nodes get the final model.
    hands_over: whether a moving aggregator has server state to hand over.
    remembers: whether the algorithm has a state of its own on a trainer, from one of its rounds to the next.
    opinions: whether nodes that mix models tell each other what they think of others.
    uninvited: (the state of the rule, the round) → whom an aggregator does not ask then; None where it asks all.
    patience_seconds: how long a node waits to be sent a model before it gives up; a simulator notices by itself that
        nobody will, real nodes need a bound.
    linger_seconds: how long a proxy stays for those that need it.
    membership: how nodes see to it that others are there; None where none of them ever fails.
    """

    nodes: int
    planner: Planner
    samples: NDArray[np.int64]
    tests: NDArray[np.int64]
    mixing: MixingWeights
    training_seconds: NDArray[np.float64]
    sizes: Mapping[type[Message], int]
    schedule: Schedule = SYNCHRONOUS
    steps: NDArray[np.int64] | None = None
    effort: NDArray[np.float64] | None = None
    evaluate_every: int = 1
    everyone: bool = True
    hands_over: bool = False
    remembers: bool = True
    opinions: bool = False
    uninvited: Callable[[Any, int], set[int]] | None = None
    patience_seconds: float = FOREVER
    linger_seconds: float = 60.0
    membership: Membership | None = None

    def __post_init__(self) -> None:
        if self.planner.asynchronous != self.schedule.asynchronous:
            raise ValueError("the planner and the schedule disagree about whether there are common rounds")

    def plan(self, me: NodeId, number: int, view: View) -> RoundPlan:
        """The part of `me` in round `number`."""
        return self.planner.plan(me, number, view)

    def routes(self, number: int, view: View) -> Routes:
        """How messages of round `number` travel."""
        return self.planner.table(number, view).routes

    def holds(self, node: NodeId, number: int, view: View) -> bool:
        """Whether `node` publishes the model of round `number`."""
        return self.planner.holds(node, number, view)

    def next_part(self, me: NodeId, state: RoundState) -> float:
        """The next round that `me` takes part in and must not leave out, ∞ where it may.

        Where aggregators get ahead of each other and each waits for all of its trainers, a trainer that goes from one to another must not
        skip the slower one's round, whoever's model comes first.
        """
        if not self._in_turn:
            return FOREVER
        ahead = range(state.round, state.round + ROUNDS_LOOKED_AHEAD)
        return next((number for number in ahead if _among(self.planner.table(number, state.view).participants, me)), FOREVER)

    @cached_property
    def _in_turn(self) -> bool:
        """Whether trainers go from one aggregator to another, all of which wait for all of their own."""
        roles, schedule = self.planner.roles, self.schedule
        if roles.coupled or self.planner.static or schedule.need(1) != FOREVER or schedule.deadline_seconds != FOREVER:
            return False
        return roles.aggregator.at_a_time > 1

    def may_publish(self, node: NodeId, number: int, view: View) -> bool:
        """Whether `node` may give others the model of round `number`: who holds it, and an aggregator that asks once more with it."""
        return self.holds(node, number, view) or (self.asks and self.holds(node, number + 1, view))

    def publishers(self, me: NodeId, view: View) -> frozenset[NodeId]:
        """Who, apart from `me`, may ever publish a model."""
        publishers = self.planner.publishers(view)
        return publishers - {me} if me in publishers else publishers

    def expected(self, me: NodeId, state: RoundState) -> frozenset[NodeId]:
        """Whom `me`, who does not hold it, is to have the model of its round from; anybody who may publish, where that is not known."""
        holders = frozenset(map(NodeId, self.planner.holders(state.round, state.view).tolist())) - {me}
        return holders or self.publishers(me, state.view)

    def leaves(self, me: NodeId, state: RoundState) -> bool:
        """Whether `me` has left: its last round is over, and it holds no model that others still need of it."""
        leaves = self.planner.stays.get(me, (0, FOREVER))[1]
        return state.round >= leaves and (self.planner.roles.coupled or not state.held)

    def peers(self, me: NodeId) -> tuple[NodeId, ...]:
        """With whom `me` has dealings: its neighbours where each has a model of its own, else all with the aggregators they can reach."""
        roles, graph = self.planner.roles, self.planner.graph
        if roles.coupled:
            return tuple(map(NodeId, sorted(graph.neighbours(me).tolist())))
        others = range(self.nodes) if _among(roles.aggregator.candidates, me) else roles.aggregator.candidates.tolist()
        return tuple(NodeId(node) for node in others if node != me and self._ways.distance(me, node) != UNREACHABLE)

    @cached_property
    def _ways(self) -> Routes:
        """Through all who may ever be proxies."""
        return Routes(self.planner.graph, self.planner.roles.proxy.candidates.tolist())

    def others(self, me: NodeId) -> tuple[NodeId, ...]:
        """All but `me`."""
        return tuple(NodeId(node) for node in range(self.nodes) if node != me)

    def initially(self, me: NodeId, model: Handle) -> RoundState:
        """The state a node starts from; `model` is the initial vector, a public draw."""
        state = RoundState(0, model, held=self.holds(me, 0, View()))
        return self.asking(me, state) if state.held and self.asks else state

    @cached_property
    def asks(self) -> bool:
        """Whether aggregators ask whom they like for updates, since there are no common rounds."""
        return self.schedule.asynchronous and not self.planner.roles.coupled

    def asking(self, me: NodeId, state: RoundState, away: Collection[NodeId] = ()) -> RoundState:
        """The holder `me` of a model, with those it is going to give it to; who is away is not asked, and keeps nobody else from it."""
        busy = tuple(node for node, _, _ in state.asked)
        free = self.planner.asks(me, state.round, busy, self.schedule.concurrency, state.view, away=tuple(away))
        return replace(state, asked=state.asked + tuple((node, state.round, None) for node in free))

    def learns_beside(self, me: NodeId) -> bool:
        """Whether the training of `me` runs beside its rounds, which it must not hold up."""
        return self.asks and all(_among(role.candidates, me) for role in (self.planner.roles.aggregator, self.planner.roles.trainer))

    @cached_property
    def averages(self) -> bool:
        """Whether nodes with models of their own answer one another at any time."""
        sharing = self.planner.sharing
        asked = sharing.pairwise or (sharing.neighbours is not None and sharing.direction != "push")
        return self.schedule.asynchronous and self.planner.roles.coupled and asked

    @cached_property
    def succeeds(self) -> bool:
        """Whether another node takes the place of an aggregator that has gone: where one moves, and takes no late updates."""
        aggregator = self.planner.roles.aggregator
        return self.membership is not None and aggregator.rotates and aggregator.at_a_time == 1 and not self.ever_forwards

    @property
    def without_its_aggregator(self) -> str:
        """What becomes of a federation whose aggregator has gone, in words; nothing where nodes do not look after one another."""
        if self.membership is None:
            return ""
        if self.planner.roles.coupled:
            return "a node that has gone is left out by its neighbours"
        if self.succeeds:
            return "a node that has gone is left out; if it is to aggregate, the next in the rotation does, once a majority agrees"
        why = ", for updates come to it late and it alone knows of them" if self.ever_forwards else ""
        seconds = self.membership.deadline_seconds
        return f"a trainer that has gone is left out; an aggregator is waited for, {seconds:g} s at the most, and not replaced{why}"

    @cached_property
    def catches_up(self) -> bool:
        """Whether a node that has fallen behind its neighbours takes a round, and perhaps a model, of theirs."""
        return self.membership is not None and self.planner.roles.coupled and not self.averages

    def forwards(self, me: NodeId) -> bool:
        """Whether updates may still come to `me` when another has become the aggregator."""
        return self.ever_forwards and _among(self.planner.roles.aggregator.candidates, me)

    @property
    def ever_forwards(self) -> bool:
        """Whether aggregators that move take late updates."""
        late = self.schedule.asynchronous or self.schedule.staleness_rounds > 0
        return late and not self.planner.roles.coupled and self.planner.roles.aggregator.rotates

    def closing_audience(self, me: NodeId, state: RoundState) -> tuple[NodeId, ...]:
        """Whom the holder `me` sends the final model to: all, or those who, without common rounds, cannot know that it is the last."""
        if self.everyone:
            return self.planner.closing_audience(me, state.round, state.view)
        if self.asks and self.forwards(me) and self.holds(me, state.round, state.view):
            return tuple(sorted(self.publishers(me, state.view)))
        return ()

    def farewells(self, me: NodeId, state: RoundState) -> tuple[NodeId, ...]:
        """Whom `me`, who has finished, says goodbye to: all who may wait for it, or look after it."""
        found = self.planner.farewells(me, state.round, state.view, everyone=self.everyone)
        return found if self.membership is None else tuple(sorted({*found, *self.peers(me)}))

    @property
    def kept_rounds(self) -> float:
        """For how many rounds a node's mailbox keeps messages; where the flow itself turns late ones down, for ever."""
        return FOREVER if self.schedule.asynchronous else self.schedule.staleness_rounds

    @cached_property
    def proxied(self) -> bool:
        """Whether anybody may ever be a proxy."""
        return len(self.planner.roles.proxy.candidates) > 0

    def relays(self, me: NodeId) -> bool:
        """Whether `me` may ever be a proxy."""
        return _among(self.planner.roles.proxy.candidates, me)

    def due(self, number: int) -> bool:
        """Whether the model of round `number` is to be evaluated."""
        return number % self.evaluate_every == 0

    def makers(self, number: int, *, without: Collection[int] = ()) -> int:
        """How many nodes, `without` some, made a model of round `number` in the round before."""
        made = self.planner.table(max(number - 1, 0)).aggregators
        return len(made) - (sum(node in without for node in made.tolist()) if without else 0)

    def numbers(self, message: Message) -> int:
        """How many numbers the vector of `message` has."""
        if message.payload is None:
            return 0
        found = self.sizes.get(message.__class__)
        return int(message.payload.value.shape[0]) if found is None else found

    def gather_updates(self, me: NodeId, state: RoundState, plan: RoundPlan) -> Gather[Update]:
        """Wait for the round's updates; late ones of earlier rounds are taken in where the schedule lets them."""
        expected = plan.collect_from or frozenset()
        return self._gather(
            Update, state, expected, UPDATES, lambda late: self.planner.trained_for(late.origin, late.round, me, state.view)
        )

    def gather_models(self, me: NodeId, state: RoundState, plan: RoundPlan) -> Gather[Model]:
        """Wait for the models of those it exchanges with, in the same way; or, without common rounds, take the newest that are there.

        Whoever has heard of no neighbour for as many rounds as a model may be behind waits for one, of whatever round. No two can
        wait for each other so: the last one to hear of another goes on, and all its neighbours hear of it.
        """
        expected, schedule = frozenset(plan.exchange_from), self.schedule
        if not schedule.asynchronous:
            return self._gather(
                Model, state, expected, EXCHANGE, lambda late: late.origin in self.plan(me, late.round, state.view).exchange_from
            )
        ahead = self.planner.roles.coupled and self.planner.sharing.neighbours is None and state.unheard >= schedule.staleness_rounds
        return Gather(Model, 0, FOREVER, expected, need=1 if ahead else 0, phase=EXCHANGE)

    def _gather(
        self, kind: type[M], state: RoundState, expected: frozenset[NodeId], phase: int, had_the_role: Callable[[M], bool]
    ) -> Gather[M]:
        """Messages of the round from all that are expected, and late ones from those who had the role in their round."""
        schedule = self.schedule
        return Gather(
            kind,
            schedule.oldest(state.round),
            state.round,
            None if schedule.staleness_rounds else expected,
            need=schedule.need(len(expected)),
            grace_seconds=schedule.grace_seconds,
            deadline_seconds=schedule.deadline_seconds,
            phase=phase,
            accepts=had_the_role if schedule.staleness_rounds else None,
            since=state.round,
            awaited=expected,
        )

    def weight(self, message: Message) -> int:
        """What a message counts for: the samples that its origin claims, but no more than it is known to have."""
        return min(message.weight, self._known[message.origin])

    @cached_property
    def _known(self) -> memoryview:
        """The samples of each node, as plain numbers."""
        return self.samples.data

    # ---- jobs

    def train(self, me: NodeId, state: RoundState, *, whole: bool) -> Job[Trained]:
        """Local training of `me`; `whole` asks for the trained vector itself instead of the difference."""
        seconds = float(self.training_seconds[me])
        steps = None if self.steps is None else int(self.steps[me])
        return train(state.model, state.client, node=me, round=state.round, steps=steps, seconds=seconds, whole=whole)

    def aggregate(self, me: NodeId, state: RoundState, updates: tuple[Message, ...]) -> Job[Aggregated]:
        """The aggregation rule over `updates` (in order of origin), then the algorithm's server step."""
        weights = tuple(float(self.weight(message)) for message in updates)
        return aggregate(
            state.model,
            state.server,
            state.rule,
            tuple(message.payload for message in updates if message.payload is not None),
            weights=weights,
            scales=self.scales(state.round, updates, weights),
            lags=self.lags(state.round, updates),
            origins=tuple(int(message.origin) for message in updates),
            fraction=len(updates) / max(1, len(self.planner.roles.trainer.candidates)),
            node=me,
            round=state.round,
        )

    def scales(self, number: int, updates: tuple[Message, ...], weights: tuple[float, ...]) -> tuple[float, ...]:
        """What each update is multiplied by in round `number`; nothing where all count as they are.

        By what a late one still counts for. Where effort is normalised (FedNova), also by τ / its own effort, τ being the weighted mean of
        the efforts: those who did more steps in the same time do not pull the model the more for it.
        """
        found = [self.schedule.share(number, update.round) for update in updates]
        if self.effort is not None:
            own = [float(self.effort[update.origin]) for update in updates]
            total = sum(weights) or 1.0
            mean = sum(weight * effort for weight, effort in zip(weights, own, strict=True)) / total
            found = [share * mean / effort if effort else 0.0 for share, effort in zip(found, own, strict=True)]
        return () if all(scale == 1.0 for scale in found) else tuple(found)

    def lags(self, number: int, updates: tuple[Message, ...]) -> tuple[int, ...]:
        """How many rounds behind `number` each update is; nothing where none is."""
        found = tuple(max(0, number - update.round) for update in updates)
        return found if any(found) else ()

    def shift(self, me: NodeId, state: RoundState, message: Message, minus: Handle | None, weight: float) -> Job[Shifted]:
        """The model in hand with weight · (that of `message` - minus) added to it."""
        assert message.payload is not None
        return shift(state.model, message.payload, minus, weight=weight, origin=int(message.origin), node=me, round=state.round)

    def mix(self, me: NodeId, state: RoundState, models: tuple[Message, ...], opinions: tuple[Message, ...] = ()) -> Job[Mixed]:
        """The own model and those of `models` (in order of origin), mixed; what a late one loses stays with the own.

        opinions: what others think of others.
        """
        number, known = state.round, self._known
        origins = tuple([message.origin for message in models])
        samples = (known[me], *[min(message.weight, known[message.origin]) for message in models])
        weights = self.mixing(me, origins, samples, self._degrees(me, state, origins))
        if min([message.round for message in models], default=number) < number:
            shares = [self.schedule.share(number, message.round) for message in models]
            if any(share != 1.0 for share in shares):
                others = tuple(weight * share for weight, share in zip(weights[1:], shares, strict=True))
                weights = (max(0.0, 1.0 - sum(others)), *others)
        return mix(
            state.model,
            tuple([message.payload for message in models if message.payload is not None]),
            state.rule,
            weights=weights,
            origins=origins,
            opinions=tuple((int(message.origin), message.payload) for message in opinions if message.payload is not None),
            node=me,
            round=state.round,
        )

    def _degrees(self, me: NodeId, state: RoundState, origins: tuple[NodeId, ...]) -> Mapping[NodeId, int]:
        """How many each node exchanges with in this round, where that is not its degree in the graph; nothing where it is.

        Where both of two that meet know it, weights made of it keep the average. Who only gives or only takes does not know: then all that
        has come counts alike, and the average of all models drifts.
        """
        sharing = self.planner.sharing
        if sharing.neighbours is None:
            return {}
        if sharing.direction != "push-pull" or self.schedule.asynchronous:
            return dict.fromkeys((me, *origins), len(origins))
        takes = self.planner.gossip(state.round, state.view).takes
        return {node: max(1, len(takes.get(node, ()))) for node in (me, *origins)}

    def evaluate(self, me: NodeId, model: Handle, number: int, on: Literal["common", "own"]) -> Job[Evaluated]:
        """Evaluation of `model`, that of round `number`, on the common test set or on the node's own test part."""
        return evaluate(model, node=me, round=number, on=on)


def _among(candidates: NDArray[np.int64], node: int) -> bool:
    """Whether `node` is one of the sorted `candidates`."""
    if not len(candidates):
        return False
    place = int(candidates.searchsorted(node))
    return place < len(candidates) and int(candidates[place]) == node
