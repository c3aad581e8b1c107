"""What running a scenario would take: nodes, rounds, messages, bytes, samples; found from its plans, without training."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coterie.core.ids import NodeId
from coterie.federation.codec import NUMBER_BYTES, size_bytes
from coterie.federation.messages import Goodbye, Message, Model, RuleState, ServerState, Update
from coterie.federation.routes import UNREACHABLE, Routes
from coterie.federation.state import View
from coterie.federation.table import RoundTable
from coterie.scenario.setup import Setup

ROUNDS_SEEN = 10
"""Where rounds differ, so many of them are looked at and stand for the rest."""


@dataclass(frozen=True)
class Round:
    """One round: how many nodes train, on how many samples (repeats counted), and what is sent."""

    trainers: float
    samples: float
    messages: float
    bytes: float


@dataclass(frozen=True)
class Outlook:
    """What a run would take if it went on to its last round.

    exact: whether all rounds are alike and none closes early, so that the figures are those of the run.
    model_bytes: one model's. typical: a round in the middle. messages, bytes, samples: of the whole run.
    """

    nodes: int
    rounds: int
    exact: bool
    parameters: int
    typical: Round
    samples: int
    messages: int
    bytes: int

    @property
    def model_bytes(self) -> int:
        """Bytes of one model's numbers."""
        return self.parameters * NUMBER_BYTES


def outlook(setup: Setup) -> Outlook:
    """What running `setup` would take; loads its data. Raises ScenarioError."""
    rounds, planner = setup.scenario.until.rounds, setup.planner
    first = _round(setup, 0)
    numbers = range(1, min(rounds, 2 if planner.static else ROUNDS_SEEN))
    later = [_round(setup, number) for number in numbers] or [first]
    typical = Round(*(float(np.mean([getattr(one, figure) for one in later])) for figure in Round.__dataclass_fields__))
    closing = _closing(setup, rounds)
    whole = {
        figure: round(getattr(first, figure) + (rounds - 1) * getattr(typical, figure) + getattr(closing, figure))
        for figure in ("samples", "messages", "bytes")
    }
    told = setup.federation.opinions  # how much depends on what nodes have seen
    exact = planner.static and setup.scenario.schedule.deadline_seconds is None and not told
    return Outlook(setup.nodes, rounds, exact, setup.network.layout.size, typical, **whole)


class Tally:
    """Counts messages as they are sent: one to each neighbour, and one per first hop for those that proxies lead to."""

    def __init__(self, sizes: Mapping[type[Message], int], routes: Routes) -> None:
        self.sizes, self.routes = sizes, routes
        self.messages = self.bytes = 0

    def post(self, node: NodeId, to: tuple[NodeId, ...], kind: type[Message]) -> None:
        """A message of `node` for all of `to`, with what proxies make of it on its way (see `federation.flows`)."""
        routes = self.routes
        near = tuple(other for other in to if routes.graph.has_edge(node, other)) if routes.proxies else to
        self.count(kind, len(near))
        under_way = routes.next_hops(node, node, tuple(other for other in to if other not in near)) if len(near) < len(to) else []
        while under_way:
            hop, beyond = under_way.pop()
            self.count(kind, 1, beyond=0 if beyond == (hop,) else len(beyond))
            under_way += routes.next_hops(hop, node, tuple(other for other in beyond if other != hop))

    def count(self, kind: type[Message], messages: int, beyond: int = 0) -> None:
        """So many messages of a kind, each of which leads to so many nodes beyond its receiver."""
        self.messages += messages
        self.bytes += messages * size_bytes(self.sizes.get(kind, 0), beyond)


def _round(setup: Setup, number: int) -> Round:
    table, planner = setup.planner.table(number), setup.planner
    sent = Tally(setup.federation.sizes, table.routes)
    for node in map(NodeId, planner.holders(number).tolist()):
        plan = planner.plan(node, number, View())
        sent.post(node, plan.publish_to, Model)
        if setup.federation.hands_over:
            sent.post(node, plan.hand_over_to, ServerState)
            sent.post(node, plan.hand_over_to, RuleState)
    _count_updates(sent, table)
    if len(table.aggregators) > 1:
        for node in map(NodeId, table.aggregators.tolist()):
            sent.post(node, table.exchanges(node), Model)
            if setup.federation.opinions:
                sent.post(node, table.exchanges(node), RuleState)
    return Round(len(table.trainers), float(setup.workload.samples[table.trainers].sum()), sent.messages, sent.bytes)


def _count_updates(sent: Tally, table: RoundTable) -> None:
    """Every trainer's update on its way to its aggregator."""
    if not len(table.proxies):
        sent.count(Update, int(np.count_nonzero(table.assigned != table.trainers)))
        return
    for node, other in table.sends_to.items():
        if other not in {node, UNREACHABLE}:
            sent.post(NodeId(node), (NodeId(other),), Update)


def _closing(setup: Setup, rounds: int) -> Round:
    """The last model for all, where all get it, and the goodbyes."""
    planner, everyone, last = setup.planner, setup.everyone, setup.planner.table(rounds)
    sent = Tally(setup.federation.sizes, last.routes)
    if everyone and not setup.coupled:
        for node in map(NodeId, planner.holders(rounds).tolist()):
            sent.post(node, planner.closing_audience(node, rounds), Model)
    leaving = range(setup.nodes) if everyone and len(last.proxies) else planner.table(rounds - 1).participants.tolist()
    for node in map(NodeId, leaving):
        sent.post(node, planner.farewells(node, rounds, everyone=everyone), Goodbye)
    return Round(0, 0, sent.messages, sent.bytes)
