"""Who does what in a round: a pure function of (topology, roles, round, view), computed once for all nodes.

The aggregators of the round before hold its model (in round 0, its own do: the initial model is a public draw). A round
is: holders publish the model to those who take part; trainers train and send updates to their aggregator; aggregators
aggregate; then aggregators that can reach one another exchange their models and mix them. Centralized and
semi-decentralized federations have one aggregator and no exchange; in a decentralized one every trainer is its own
aggregator, so that the exchange between neighbours is all that travels.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from coterie.core import draws
from coterie.core.ids import NodeId
from coterie.federation.roles import Ids, Roles
from coterie.federation.routes import UNREACHABLE, Routes
from coterie.federation.sharing import EVERYBODY, Sharing
from coterie.federation.state import View
from coterie.federation.table import Nodes, RoundTable, without
from coterie.selection import Selection
from coterie.topologies.graph import Graph

IDS_KEPT, MOST_KEPT = 2_000_000, 512
"""Tables of so many trainers in all are kept, and at most so many: nodes that come back late ask for rounds of long ago."""
KEPT = 8
"""Of so many rounds tables are kept, once they are made."""


@dataclass(frozen=True, slots=True)
class RoundPlan:
    """One node's part in one round.

    trains: whether it trains.
    publish_to: whom it sends the round's model to.
    hand_over_to, take_over_from: where the server state goes to or comes from when the aggregator moves.
    send_to: the aggregator that its update goes to (perhaps itself), or None.
    collect_from: the trainers whose updates it aggregates, without itself; None when it is no aggregator.
    exchange_with, exchange_from: the aggregators it gives its model and those it is given theirs by.
    keeps: whether the model it has stays its own when it rests: every node of a decentralized federation.
    """

    trains: bool = False
    publish_to: Nodes = ()
    hand_over_to: Nodes = ()
    take_over_from: NodeId | None = None
    send_to: NodeId | None = None
    collect_from: frozenset[NodeId] | None = None
    exchange_with: Nodes = ()
    exchange_from: Nodes = ()
    keeps: bool = False


NO_PART = RoundPlan()


class Gossip:
    """Who gives its model to whom in a round in which nodes turn to a few others each: `gives` and `takes` by node, in order."""

    def __init__(self, planner: "Planner", number: int, view: View) -> None:
        table, sharing, seed = planner.table(number, view), planner.sharing, planner.seed
        ids = table.aggregators.tolist()
        chosen = {node: sharing.chosen(node, table.exchanges(node), seed, number) for node in ids}
        choosers: dict[int, list[int]] = {node: [] for node in ids}
        for node, others in chosen.items():
            for other in others:
                choosers[other].append(node)
        self.gives, self.takes = {}, {}
        for node in ids:
            mine, theirs = set(chosen[node]), set(choosers[node])
            gives, takes = {"push": (mine, theirs), "pull": (theirs, mine)}.get(sharing.direction, (mine | theirs, mine | theirs))
            self.gives[node], self.takes[node] = tuple(map(NodeId, sorted(gives))), tuple(map(NodeId, sorted(takes)))


class Planner:
    """Makes and keeps round tables, and slices plans out of them.

    stays: of nodes that are not there from the beginning to the end, the round they join at and the one they leave before.
    """

    def __init__(
        self,
        graph: Graph,
        roles: Roles,
        selection: Selection,
        seed: int,
        sharing: Sharing = EVERYBODY,
        *,
        asynchronous: bool = False,
        stays: Mapping[NodeId, tuple[float, float]] = MappingProxyType({}),
    ) -> None:
        self.stays = stays
        self.graph, self.roles, self.selection, self.seed = graph, roles, selection, seed
        self.sharing, self.asynchronous = sharing, asynchronous
        self._gossip: dict[tuple[int, View], Gossip] = {}
        self._tables: dict[tuple[int, View], RoundTable] = {}
        self._routes: dict[bytes, Routes] = {}
        self.static = not roles.rotates and getattr(selection, "name", "") == "all" and not stays
        self._plans: dict[tuple[int, bool], RoundPlan] = {}
        self._trainers: dict[int, RoundPlan] = {}
        self._holding: dict[tuple[int, View], frozenset[int]] = {}
        self._passing: dict[tuple[int, View, bool], Mapping[int, frozenset[NodeId]]] = {}

    def table(self, number: int, view: View = View()) -> RoundTable:  # noqa: B008 - frozen
        """The table of round `number`; the last few are kept."""
        key = (min(number, 1) if self.static else number, view)
        table = self._tables.get(key)
        if table is None:
            table = RoundTable(self, number, view)
            most = max(KEPT, min(MOST_KEPT, IDS_KEPT // (1 + len(table.trainers))))
            while len(self._tables) > most:
                self._tables.pop(next(iter(self._tables)))
            self._tables[key] = table
        return table

    def holders(self, number: int, view: View = View()) -> Ids:  # noqa: B008 - frozen
        """Who has the model that round `number` starts from, without having to be sent it."""
        if self.roles.coupled:
            return self.roles.aggregator.at(number, self.seed, "aggregator", self.absent(number, view))
        if number == view.round:
            return np.array([view.holder], np.int64)
        return self.table(max(number - 1, 0), view).aggregators

    def holds(self, node: NodeId, number: int, view: View = View()) -> bool:  # noqa: B008 - frozen
        """Whether `node` has the model of round `number` without having to be sent it."""
        key = (min(number, 2) if self.static else number, view)
        holding = self._holding.get(key)
        if holding is None:
            while len(self._holding) > KEPT:
                self._holding.pop(next(iter(self._holding)))
            holding = self._holding[key] = frozenset(self.holders(number, view).tolist())
        return node in holding

    def outside(self, number: int) -> frozenset[int]:
        """Who has not joined by round `number`, or has left before it."""
        return frozenset(node for node, (joins, leaves) in self.stays.items() if not joins <= number < leaves)

    def absent(self, number: int, view: View) -> Nodes:
        """Who takes no part in round `number`: who is outside, and whom the view leaves out."""
        return tuple(map(NodeId, sorted(self.outside(number).union(view.absent)))) if self.stays else view.absent

    @lru_cache(maxsize=64)  # noqa: B019 - a planner lives as long as its run
    def publishers(self, view: View = View()) -> frozenset[NodeId]:  # noqa: B008 - frozen
        """Who may ever publish a model: who may aggregate, and who holds the first of the view."""
        candidates = {*self.roles.aggregator.candidates.tolist(), view.holder} - {UNREACHABLE, *view.absent}
        return frozenset(map(NodeId, candidates))

    def plan(self, me: NodeId, number: int, view: View = View()) -> RoundPlan:  # noqa: B008 - frozen
        """The part of `me` in round `number`."""
        if not self.static or view.absent or self.sharing.neighbours is not None:
            return self._make(me, number, view)
        key = (me, number == 0)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._make(me, number, view)
        return plan

    def _make(self, me: NodeId, number: int, view: View) -> RoundPlan:
        table = self.table(number, view)
        send_to = table.sends_to.get(me)
        aggregates = me in table.collectors
        if send_to is not None and not aggregates and not self.holds(me, number, view):
            return self._only_trains(send_to)
        if send_to is None and not aggregates and not self.roles.coupled and not self.holds(me, number, view):
            return NO_PART
        holders = self.holders(number, view)
        place = _index(holders, me)
        moved = not self.roles.coupled and not np.array_equal(holders, table.aggregators)
        gives, takes = self._shares(me, number, view) if aggregates and len(table.aggregators) > 1 else ((), ())
        return RoundPlan(
            trains=send_to is not None,
            publish_to=() if self.asynchronous else self._audiences(number, view, closing=False).get(me, ()),
            hand_over_to=self._successors(table.aggregators, holders, me) if moved and place >= 0 else (),
            take_over_from=self._predecessor(table.aggregators, holders, me) if moved and aggregates else None,
            send_to=None if send_to is None else NodeId(send_to),
            collect_from=table.collectors[me] if aggregates else None,
            exchange_with=gives,
            exchange_from=takes,
            keeps=self.roles.coupled,
        )

    def _shares(self, me: NodeId, number: int, view: View) -> tuple[Nodes, Nodes]:
        """Whom the aggregator `me` gives its model in a round, and who may give it theirs."""
        partners = self.table(number, view).exchanges(me)
        if self.sharing.neighbours is None:
            return partners, partners
        if self.asynchronous:  # others are in rounds of their own: nobody knows when it is whose turn
            return tuple(map(NodeId, self.sharing.chosen(me, partners, self.seed, number))), partners
        gossip = self.gossip(number, view)
        return gossip.gives[me], gossip.takes[me]

    def gossip(self, number: int, view: View = View()) -> Gossip:  # noqa: B008 - frozen
        """Who turns to whom in round `number`; the last few are kept."""
        key = (number, view)
        found = self._gossip.get(key)
        if found is None:
            while len(self._gossip) > 8:
                self._gossip.pop(next(iter(self._gossip)))
            found = self._gossip[key] = Gossip(self, number, view)
        return found

    def candidates(self, me: NodeId, number: int, view: View = View()) -> Ids:  # noqa: B008 - frozen
        """The trainers that the model of round `number` may be given to by its holder `me`: those of the aggregator that comes next."""
        table = self.table(number, view)
        return table.trainers if len(table.aggregators) == 1 else table.trainers[table.assigned == me]

    def asks(
        self,
        me: NodeId,
        number: int,
        busy: tuple[NodeId, ...],
        most: float,
        view: View = View(),  # noqa: B008 - frozen
        *,
        away: tuple[NodeId, ...] = (),
    ) -> Nodes:
        """Whom the holder `me` of the asynchronous model of `number` gives it to, where `busy` are at work and `most` may be.

        Everybody who is free and not `away`, or as many of them as there is room for, a public draw.
        """
        candidates = self.candidates(me, number, view)
        free = np.setdiff1d(candidates, (*busy, *away))
        room = int(min(most, len(candidates))) - len(set(busy).difference(away))
        if room < len(free):
            places = draws.public(self.seed, "asking", number).choice(len(free), max(0, room), replace=False)
            free = free[np.sort(places)]
        return tuple(NodeId(node) for node in free.tolist())

    def trained_for(self, node: NodeId, number: int, aggregator: NodeId, view: View = View()) -> bool:  # noqa: B008 - frozen
        """Whether `node` trains in round `number` for `aggregator`, or for one that hands late updates on to it."""
        table = self.table(number, view)
        found = table.sends_to.get(node)
        return found is not None and (found == aggregator or self.roles.aggregator.rotates)

    def _only_trains(self, send_to: int) -> RoundPlan:
        """The one plan of all who train for `send_to` and do nothing else."""
        plan = self._trainers.get(send_to)
        if plan is None:
            plan = self._trainers[send_to] = RoundPlan(trains=True, send_to=NodeId(send_to), keeps=self.roles.coupled)
        return plan

    @lru_cache(maxsize=64)  # noqa: B019 - a planner lives as long as its run
    def _audiences(self, number: int, view: View, *, closing: bool) -> Mapping[int, Nodes]:
        """Whom each holder sends the model of round `number` to: who takes part and does not hold it; if `closing`, all others."""
        if self.roles.coupled:
            return {}
        holders, table = self.holders(number, view), self.table(number, view)
        who = np.arange(self.graph.nodes) if closing else table.participants  # who is absent may yet come for the last
        if len(holders) == 1:
            return {int(holders[0]): tuple(without(who, holders).tolist())}
        found: dict[int, list[NodeId]] = {}
        for node in without(who, holders).tolist():
            found.setdefault(self._provider(node, table, holders, table.routes), []).append(NodeId(node))
        return {holder: tuple(nodes) for holder, nodes in found.items()}

    def _provider(self, node: int, table: RoundTable, holders: Ids, routes: Routes) -> int:
        """Which holder `node` gets the model from: its own aggregator if that is one, else the nearest."""
        wanted = table.sends_to.get(node, UNREACHABLE)
        if _index(holders, wanted) >= 0:
            return wanted
        near = [(steps, other) for other in holders.tolist() if (steps := routes.distance(node, other)) != UNREACHABLE]
        return min(near)[1] if near else UNREACHABLE

    @staticmethod
    def _predecessor(aggregators: Ids, holders: Ids, me: int) -> NodeId | None:
        """Whose server state the aggregator `me` takes over: its own if it has one, else the k-th takes the k-th holder's."""
        if _index(holders, me) >= 0 or len(holders) == 0:
            return None
        return NodeId(int(holders[_index(aggregators, me) % len(holders)]))

    def _successors(self, aggregators: Ids, holders: Ids, me: int) -> Nodes:
        """Who takes over the server state of the holder `me`."""
        return tuple(NodeId(node) for node in aggregators.tolist() if self._predecessor(aggregators, holders, node) == me)

    def closing_audience(self, me: NodeId, number: int, view: View = View()) -> Nodes:  # noqa: B008 - frozen
        """Whom the holder `me` sends the final model, that of round `number`, to: all who do not hold it."""
        return self._audiences(number, view, closing=True).get(me, ())

    def farewells(self, me: NodeId, number: int, view: View = View(), *, everyone: bool = True) -> Nodes:  # noqa: B008 - frozen
        """Whom `me` says goodbye to when it has finished before round `number`: those who may still wait for it.

        Where proxies forward, also whoever sends it the final model (everyone: if all nodes get that), else all that it sent its last model
        and its server state to: proxies that see the goodbye pass know that nothing more will.
        """
        last, table = self.table(max(number - 1, 0), view), self.table(number, view)
        plan = self.plan(me, max(number - 1, 0), view)
        partners = last.exchanges(me) if plan.collect_from is not None and len(last.aggregators) > 1 else ()
        found = {*partners, plan.send_to}
        if len(table.proxies) and everyone and not self.roles.coupled and plan.collect_from is None:
            found.add(NodeId(self._provider(me, table, self.holders(number, view), table.routes)))
        elif len(table.proxies) and not everyone:
            found.update(plan.publish_to, plan.hand_over_to)
        return tuple(sorted(node for node in found if node is not None and node not in {me, UNREACHABLE}))

    def passing(self, number: int, view: View = View(), *, everyone: bool = True) -> Mapping[int, frozenset[NodeId]]:  # noqa: B008
        """For each proxy, whose messages of the round before `number` (and whose final model) pass through it."""
        table = self.table(number, view)
        if len(table.proxies) == 0:
            return {}
        key = (table.round, view, everyone)
        if key not in self._passing:
            found: dict[int, set[NodeId]] = {}
            for node in range(self.graph.nodes):
                for other in self.farewells(NodeId(node), number, view, everyone=everyone):
                    for proxy in table.routes.path(node, other)[1:-1]:
                        found.setdefault(proxy, set()).add(NodeId(node))
            self._passing[key] = {proxy: frozenset(nodes) for proxy, nodes in found.items()}
        return self._passing[key]

    def routes(self, proxies: Ids) -> Routes:
        """The routes through `proxies`, made once."""
        key = proxies.tobytes()
        if key not in self._routes:
            self._routes[key] = Routes(self.graph, proxies.tolist())
        return self._routes[key]

    def complete_or_centre(self, node: int) -> bool:
        """Whether `node` is everybody's neighbour."""
        return self.graph.degree(node) == self.graph.nodes - 1


def _index(ids: NDArray[np.int64], node: int) -> int:
    """The place of `node` in sorted `ids`, or -1."""
    place = int(np.searchsorted(ids, node))
    return place if place < len(ids) and ids[place] == node else -1
