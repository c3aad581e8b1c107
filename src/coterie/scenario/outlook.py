"""What running a scenario would take: nodes, rounds, messages, bytes, samples; found from its plans, without training."""

from dataclasses import dataclass

import numpy as np

from coterie.federation.codec import NUMBER_BYTES, size_bytes
from coterie.federation.messages import Goodbye, Message, Model, RuleState, ServerState, Update
from coterie.federation.plans import RoundTable
from coterie.federation.state import View
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

    exact: whether all rounds are alike and nobody forwards, so that the figures are those of the run.
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
    exact = planner.static and not len(planner.table(0).proxies)
    return Outlook(setup.nodes, rounds, exact, setup.network.layout.size, typical, **whole)


def _round(setup: Setup, number: int) -> Round:
    table, planner = setup.planner.table(number), setup.planner
    sent: dict[type[Message], float] = {Update: _updates(table), Model: 0, ServerState: 0, RuleState: 0}
    for node in planner.holders(number).tolist():
        plan = planner.plan(node, number, View())
        sent[Model] += sum(_hops(table, node, other) for other in plan.publish_to)
        if setup.federation.hands_over:
            for kind in (ServerState, RuleState):
                sent[kind] += sum(_hops(table, node, other) for other in plan.hand_over_to)
    if len(table.aggregators) > 1:
        sent[Model] += sum(_hops(table, node, other) for node in table.aggregators.tolist() for other in table.exchanges(node))
    size = sum(count * size_bytes(setup.federation.sizes.get(kind, 0)) for kind, count in sent.items())
    return Round(len(table.trainers), float(setup.trained_samples[table.trainers].sum()), sum(sent.values()), size)


def _closing(setup: Setup, rounds: int) -> Round:
    """The last model for all, where all get it, and the goodbyes."""
    planner, models = setup.planner, 0
    if setup.everyone and not setup.coupled:
        models = sum(len(planner.closing_audience(node, rounds)) for node in planner.holders(rounds).tolist())
    byes = sum(len(planner.farewells(node, rounds, everyone=setup.everyone)) for node in planner.table(rounds - 1).participants.tolist())
    size = models * size_bytes(setup.federation.sizes[Model]) + byes * size_bytes(setup.federation.sizes.get(Goodbye, 0))
    return Round(0, 0, models + byes, size)


def _updates(table: RoundTable) -> float:
    """Updates on their way to an aggregator, counted once a hop."""
    if not len(table.proxies):
        return float(np.count_nonzero(table.assigned != table.trainers))
    return sum(_hops(table, *pair) for pair in table.sends_to.items())


def _hops(table: RoundTable, node: int, other: int) -> int:
    """Over how many edges a message goes."""
    return max(table.routes.distance(node, other), 0) if len(table.proxies) else 1
