"""What is wanted of a federation whose nodes may fail, come and go."""

from typing import Annotated

from annotated_types import Len

from coterie.core.errors import Fault, ScenarioError
from coterie.core.ids import NodeId
from coterie.federation import membership
from coterie.federation.effects import FOREVER
from coterie.federation.succession import majority
from coterie.scenario.machine import Nodes, ids
from coterie.scenario.part import Count, Part, Positive

DEFAULT = membership.Membership()
Stays = dict[NodeId, tuple[float, float]]


class Move(Part):
    """Nodes that join or leave, and the first round with or without them."""

    nodes: Nodes
    round: Count


class Membership(Part):
    """How nodes see to it that others are there, and how long they wait for them. By default only where `faults` are injected.

    interval_seconds: how often nodes say hello to those they have dealings with. patience: after how many usual deviations over the
    usual gap a silent one is held to be gone; three intervals at the least. minimum: how many nodes must be there for a round to begin,
    in a decentralized federation in each node's neighbourhood, itself included. deadline_seconds: how long to wait for that, and for an
    aggregator that is gone, before giving up. join: nodes that come later, with their first round. leave: nodes that go earlier, with
    the first round without them.
    """

    interval_seconds: Positive = DEFAULT.interval_seconds
    patience: Positive = DEFAULT.patience
    minimum: Count = DEFAULT.minimum
    deadline_seconds: Positive = DEFAULT.deadline_seconds
    join: Annotated[tuple[Move, ...], Len(0, 1000)] = ()
    leave: Annotated[tuple[Move, ...], Len(0, 1000)] = ()

    def made(self) -> membership.Membership:
        """For the protocol."""
        return membership.Membership(self.interval_seconds, self.patience, self.minimum, self.deadline_seconds)

    def stays(self, nodes: int) -> Stays:
        """Of nodes that are not there from the beginning to the end, the rounds they join at and leave before; raises ScenarioError."""
        joins, leaves = _rounds(self.join, nodes, "join"), _rounds(self.leave, nodes, "leave")
        return {node: (joins.get(node, 0), leaves.get(node, FOREVER)) for node in sorted({*joins, *leaves})}

    def mistakes(self, nodes: int | None, rounds: int, *, moving: bool, without_rounds: bool) -> list[Fault]:
        """What cannot be in a federation of so many nodes. moving: its aggregator moves. without_rounds: nodes have none in common."""
        moves = [*((f"join.{place}", move) for place, move in enumerate(self.join)), *((f"leave.{n}", m) for n, m in enumerate(self.leave))]
        found = [
            Fault(f"membership.{place}.round", f"there is no round {move.round}", f"rounds go from 0 to {rounds - 1}")
            for place, move in moves
            if move.round >= rounds
        ]
        if moves and without_rounds:
            fix = "leave them out, or write another schedule"
            found.append(Fault("membership", "nodes join and leave at rounds, and here every node goes at its own pace", fix))
        if nodes is None:
            return found
        if self.minimum > nodes:
            found.append(Fault("membership.minimum", f"{self.minimum} nodes are to be there, and {nodes} exist", f"write at most {nodes}"))
        try:
            return [*found, *_of_stays(self.stays(nodes), nodes, moving=moving)]
        except ScenarioError:  # the check of the plan tells
            return found


def _rounds(moves: tuple[Move, ...], nodes: int, name: str) -> dict[NodeId, int]:
    found: dict[NodeId, int] = {}
    for place, move in enumerate(moves):
        for node in ids(move.nodes, nodes, f"membership.{name}.{place}.nodes").tolist():
            if node in found:
                raise ScenarioError.at(f"membership.{name}.{place}.nodes", f"node {node} is named twice", "name it once")
            found[NodeId(node)] = move.round
    return found


def _of_stays(stays: Stays, nodes: int, *, moving: bool) -> list[Fault]:
    for node, (joins, leaves) in stays.items():
        if leaves <= joins:
            return [Fault("membership.leave", f"node {node} would leave before it has joined", "write a later round")]
    times = {0.0, *(joins for joins, _ in stays.values()), *(leaves for _, leaves in stays.values() if leaves < FOREVER)}
    fewest = min(nodes - sum(not joins <= number < leaves for joins, leaves in stays.values()) for number in times)
    if moving and fewest < majority(nodes):
        problem = f"only {fewest} of {nodes} nodes would be there at a time, and it takes more than half to say who aggregates next"
        return [Fault("membership", problem, "let fewer join later or leave earlier, or keep the aggregator in one place")]
    return []
