"""One round of everybody: who trains, aggregates, forwards or rests, and for whom."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from coterie.core import draws
from coterie.core.ids import NodeId
from coterie.federation.roles import Ids
from coterie.federation.routes import UNREACHABLE, Routes
from coterie.federation.state import View

if TYPE_CHECKING:
    from coterie.federation.plans import Planner

Nodes = tuple[NodeId, ...]


class RoundTable:
    """One round of everybody, as arrays; a node's plan is a slice of it."""

    def __init__(self, planner: "Planner", number: int, view: View) -> None:
        self._planner, self.round = planner, number
        roles, seed, absent = planner.roles, planner.seed, planner.absent(number, view)
        idle = roles.idle.at(number, seed, "idle", absent)
        self.aggregators: Ids = without(roles.aggregator.at(number, seed, "aggregator", absent), idle)
        if number == view.round:
            self.aggregators = np.array([view.holder], np.int64)
        eligible = without(roles.trainer.at(number, seed, "trainer", absent), idle)
        self.trainers: Ids = planner.selection(number, eligible, draws.public(seed, "selection", number))
        if roles.coupled:
            idle = np.union1d(idle, np.setdiff1d(eligible, self.trainers))
            self.aggregators = without(self.aggregators, idle)
        self.idle = idle
        self._exchanges: dict[int, Nodes] = {}
        self.proxies: Ids = without(roles.proxy.at(number, seed, "proxy", absent), idle)

    @cached_property
    def routes(self) -> Routes:
        """How messages of this round travel."""
        return self._planner.routes(self.proxies)

    @cached_property
    def assigned(self) -> Ids:
        """The aggregator of each trainer, shape (trainers,): itself, else the nearest one; -1 if it reaches none."""
        if len(self.aggregators) == 1 and self._planner.complete_or_centre(int(self.aggregators[0])):
            return np.full(len(self.trainers), self.aggregators[0])
        return np.array(
            [node if node in self._among else self._nearest(place, node) for place, node in enumerate(self.trainers.tolist())], np.int64
        )

    def _nearest(self, place: int, node: int) -> int:
        found = [(self.routes.distance(node, other), other) for other in self.aggregators.tolist()]
        near = [(steps, other) for steps, other in found if steps != UNREACHABLE]
        if not near:
            return UNREACHABLE
        best = [other for steps, other in near if steps == min(near)[0]]
        return int(best[place % len(best)])  # ties are shared out

    @cached_property
    def participants(self) -> Ids:
        """Trainers and aggregators, sorted."""
        return np.union1d(self.trainers, self.aggregators)

    @cached_property
    def collectors(self) -> dict[int, frozenset[NodeId]]:
        """For each aggregator the trainers it collects from, without itself."""
        order = np.argsort(self.assigned, kind="stable")
        whose, who = self.assigned[order], self.trainers[order]
        low, high = np.searchsorted(whose, self.aggregators), np.searchsorted(whose, self.aggregators, side="right")
        found = {}
        for node, first, last in zip(self.aggregators.tolist(), low.tolist(), high.tolist(), strict=True):
            found[node] = frozenset(who[first:last].tolist()) - {node}
        return found

    @cached_property
    def sends_to(self) -> dict[int, int]:
        """Trainer → its aggregator."""
        return dict(zip(self.trainers.tolist(), self.assigned.tolist(), strict=True))

    def exchanges(self, node: int) -> Nodes:
        """The aggregators that `node`, an aggregator, can exchange models with.

        Those next to it, and those joined to it through proxies that aggregate nothing themselves.
        """
        known = self._exchanges.get(node)
        if known is None:
            known = self._exchanges[node] = self._joined_to(node)
        return known

    def _joined_to(self, node: int) -> Nodes:
        among, pure = self._among, self._pure
        found: set[int] = set()
        frontier, visited = [node], {node}
        while frontier:
            for neighbour in self._planner.graph.neighbours(frontier.pop()).tolist():
                if neighbour in among:
                    found.add(neighbour)
                elif neighbour in pure and neighbour not in visited:
                    visited.add(neighbour)
                    frontier.append(neighbour)
        return tuple(NodeId(other) for other in sorted(found - {node}))

    @cached_property
    def _among(self) -> set[int]:
        return set(self.aggregators.tolist())

    @cached_property
    def _pure(self) -> set[int]:
        return set(self.proxies.tolist()) - self._among


def without(ids: Ids, others: Ids) -> Ids:
    """The sorted `ids` but for `others`."""
    return np.setdiff1d(ids, others, assume_unique=True) if len(others) else ids
