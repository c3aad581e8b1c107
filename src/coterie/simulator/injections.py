"""When faults come and whom they hit: a list of what was asked for, read as a calendar that keeps no state.

The k-th time of a random fault is drawn by (seed, which injection, whom, k), so that a run can be cut anywhere, and one injection more
changes nobody else's luck.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

from coterie.core import draws
from coterie.core.ids import NodeId
from coterie.environments.faults import Cut, FaultKind, Partition
from coterie.scenario.machine import ids
from coterie.scenario.setup import Setup
from coterie.topologies.graph import Graph

MEAN_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Injection:
    """One kind of fault, whom it hits, and when: at a time or a round, at random, or all the time.

    nodes: whom (or whose links and messages); None means everybody. to: where links and messages lead; None means to all others.
    for_seconds: how long; ∞ means for good. per_hour: how often it comes by chance, to each node or link by itself (exponential
    times between, and exponential lengths of `mean_seconds`).
    """

    kind: FaultKind
    nodes: tuple[int, ...] | None = None
    to: tuple[int, ...] | None = None
    at_seconds: float | None = None
    at_round: int | None = None
    for_seconds: float = inf
    per_hour: float | None = None
    mean_seconds: float = MEAN_SECONDS


class Occasion(NamedTuple):
    """One fault: the `count`-th time that injection `number` comes to its `place`-th target."""

    number: int
    place: int
    turn: int


class Injections:
    """All injections of a run. until_seconds: when the last fault is over. reconnect_seconds: what a broken stream takes to be back."""

    def __init__(
        self, wanted: tuple[Injection, ...], graph: Graph, seed: int, *, until_seconds: float = inf, reconnect_seconds: float = 0.5
    ) -> None:
        self.wanted, self.graph, self.seed = wanted, graph, seed
        self.until_seconds, self.reconnect_seconds = until_seconds, reconnect_seconds
        self._sets = [
            (None if one.nodes is None else frozenset(one.nodes), None if one.to is None else frozenset(one.to)) for one in wanted
        ]
        self._halves: dict[Occasion, frozenset[int]] = {}

    @cached_property
    def links(self) -> list[list[tuple[int, int]]]:
        """For each injection that cuts links one by one: the links, from the side of its nodes."""
        return [self._links_of(number) if isinstance(one.kind, Cut) else [] for number, one in enumerate(self.wanted)]

    def _links_of(self, number: int) -> list[tuple[int, int]]:
        found = []
        for a, b in self.graph.edges().tolist():
            if self._leads(number, a, b):
                found.append((a, b))
            elif self._leads(number, b, a):
                found.append((b, a))
        return found

    def places(self, number: int) -> int:
        """How many targets an injection comes to by itself."""
        one = self.wanted[number]
        if isinstance(one.kind, Cut):
            return len(self.links[number])
        if one.kind.hits == "nodes":
            return self.graph.nodes if one.nodes is None else len(one.nodes)
        return 1

    def firsts(self) -> Iterator[tuple[Occasion, float, float]]:
        """The first occasion of every injection whose time is known from the beginning, with when it begins and ends."""
        for number, one in enumerate(self.wanted):
            if one.at_round is not None:
                continue
            for place in range(self.places(number)):
                found = self.occasion(Occasion(number, place, 0), 0.0)
                if found is not None:
                    yield Occasion(number, place, 0), *found

    def occasion(self, which: Occasion, after: float) -> tuple[float, float] | None:
        """When an occasion begins and ends, if the one before ended at `after`; None where it does not come any more."""
        one = self.wanted[which.number]
        if one.per_hour is None:
            begin = after if one.at_seconds is None else one.at_seconds
            if which.turn > 0 or begin >= self.until_seconds:
                return None
            return begin, min(begin + one.for_seconds, self.until_seconds)
        gap, length = draws.public(self.seed, "faults", *which).exponential(size=2).tolist()
        begin = after + gap * 3600.0 / one.per_hour
        return None if begin >= self.until_seconds else (begin, min(begin + length * one.mean_seconds, self.until_seconds))

    def nodes_hit(self, which: Occasion) -> tuple[NodeId, ...]:
        """The node that a fault of nodes comes to; those at whose ends links are cut."""
        one = self.wanted[which.number]
        if one.kind.hits == "nodes":
            return (NodeId(which.place if one.nodes is None else one.nodes[which.place]),)
        if isinstance(one.kind, Cut):
            return tuple(map(NodeId, sorted(self.links[which.number][which.place])))
        if isinstance(one.kind, Partition):
            return tuple(map(NodeId, sorted(self.side(which))))
        return tuple(map(NodeId, one.nodes or ()))

    def side(self, which: Occasion) -> frozenset[int]:
        """One side of a partition."""
        named = self._sets[which.number][0]
        if named is not None:
            return named
        if which not in self._halves:
            order = draws.public(self.seed, "sides", *which).permutation(self.graph.nodes)
            self._halves[which] = frozenset(order[: self.graph.nodes // 2].tolist())
        return self._halves[which]

    def blocks(self, which: Occasion, sender: int, receiver: int) -> bool:
        """Whether a fault of links keeps back what `sender` sends to `receiver`."""
        kind, to = self.wanted[which.number].kind, self._sets[which.number][1]
        if isinstance(kind, Cut):
            link = self.links[which.number][which.place]
            return (sender, receiver) == link or (not kind.one_way and (receiver, sender) == link)
        if isinstance(kind, Partition):
            side = self.side(which)
            if sender in side and receiver not in side:
                return to is None or receiver in to
            if receiver in side and sender not in side and not kind.one_way:
                return to is None or sender in to
        return False

    def concerns(self, which: Occasion, sender: int, receiver: int) -> bool:
        """Whether a fault of messages may meet what `sender` sends to `receiver`."""
        return self._leads(which.number, sender, receiver)

    def _leads(self, number: int, sender: int, receiver: int) -> bool:
        nodes, to = self._sets[number]
        return (nodes is None or sender in nodes) and (to is None or receiver in to)


def injections_of(setup: Setup) -> Injections | None:
    """The faults of a scenario, for its nodes; None where nothing can fail. Raises ScenarioError."""
    wanted = setup.scenario.faults
    if wanted is None:
        return None if setup.membership is None else Injections((), setup.graph, setup.scenario.seed)
    found = []
    for number, one in enumerate(wanted.inject):
        sides = [
            None if listed is None else tuple(ids(listed, setup.nodes, f"faults.inject.{number}.{key}").tolist())
            for key, listed in (("nodes", one.nodes), ("to", one.to))
        ]
        injection = Injection(
            kind=one.entry.thing(**one.params),
            nodes=sides[0],
            to=sides[1],
            at_seconds=one.at_seconds,
            at_round=one.at_round,
            for_seconds=one.for_seconds or inf,
            per_hour=one.per_hour,
            mean_seconds=one.mean_seconds or MEAN_SECONDS,
        )
        found.append(injection)
    return Injections(
        tuple(found),
        setup.graph,
        setup.scenario.seed,
        until_seconds=inf if wanted.until_seconds is None else wanted.until_seconds,
        reconnect_seconds=wanted.reconnect_seconds,
    )
