"""Faults that a simulation injects: what goes wrong, where and when."""

from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Len, Lt

from coterie.core.errors import Fault, ScenarioError
from coterie.scenario.choice import Choice
from coterie.scenario.machine import Nodes, ids
from coterie.scenario.part import Natural, NonNegative, Part, Positive, Short
from coterie.scenario.until import Until

LASTING = frozenset({"crash", "cut", "partition"})
"""Kinds that may last for good."""
TIMED = LASTING | {"pause", "full-disk"}
"""Kinds that make no sense from the beginning to the end."""
WHEN = ("at_seconds", "at_round", "per_hour")
Rate = Annotated[float, Ge(1e-6), Lt(1e9)]


class Injection(Choice):
    """One kind of fault, where it comes and when.

    nodes: at which nodes, or on which of their links and what they send (everybody). to: the other side of links and messages (all
    others). at_seconds, at_round: once, at a time or when the first node begins a round; for_seconds: for how long (for good).
    per_hour: by chance, so often an hour on each node or link by itself; mean_seconds: for how long then, on average (10). Without any
    of these, all the time.
    """

    registry: ClassVar[str] = "coterie.environments.faults:FAULTS"

    nodes: Nodes | None = None
    to: Nodes | None = None
    at_seconds: NonNegative | None = None
    at_round: Natural | None = None
    for_seconds: Positive | None = None
    per_hour: Rate | None = None
    mean_seconds: Positive | None = None

    def contradictions(self) -> list[Fault]:
        """Times that do not go together, and kinds that need one."""
        found, given = [], [name for name in WHEN if getattr(self, name) is not None]
        if len(given) > 1:
            found.append(Fault(given[1], f"a fault comes either {' or '.join(given)}", "write two faults"))
        if self.to is not None and self.hits == "nodes":
            found.append(Fault("to", f"{self.name} is about nodes, not links", "leave it out"))
        if self.for_seconds is not None and given[:1] not in (["at_seconds"], ["at_round"]):
            found.append(Fault("for_seconds", "is for a fault that comes at a known time", "write at_seconds or at_round; or mean_seconds"))
        if self.mean_seconds is not None and given[:1] != ["per_hour"]:
            found.append(Fault("mean_seconds", "is for a fault that comes by chance", "write per_hour; or for_seconds"))
        if self.name in TIMED and not given:
            found.append(Fault("", f"a {self.name} from the beginning to the end leaves nobody there", f"write one of {', '.join(WHEN)}"))
        if self.name not in LASTING and self.for_seconds is None and given[:1] in (["at_seconds"], ["at_round"]):
            found.append(Fault("for_seconds", f"is missing: a {self.name} has an end", "write for_seconds: 10"))
        return found

    @property
    def hits(self) -> str:
        """What it concerns: nodes, links or messages."""
        found: str = self.entry.thing.hits if self.name in self.things().names() else ""
        return found


class Faults(Part):
    """Faults that are injected into a simulation; a bare list is the faults themselves.

    inject: the faults. until_seconds: all of them are over by this virtual time, and none begins later. reconnect_seconds: how long a
    broken stream between two nodes takes to be there again.
    """

    short: ClassVar[Short | None] = Short("inject", (list,))

    inject: Annotated[tuple[Injection, ...], Len(0, 1000)] = ()
    until_seconds: Positive | None = None
    reconnect_seconds: NonNegative = 0.5

    def mistakes(
        self, nodes: int | None, until: Until, lone_aggregators: frozenset[int], late_aggregators: frozenset[int] = frozenset()
    ) -> list[Fault]:
        """What cannot be in a federation of so many nodes.

        lone_aggregators: those in whose place nobody can aggregate. late_aggregators: those that take late updates in turn.
        """
        found: list[Fault] = []
        for number, one in enumerate(self.inject):
            place = f"faults.inject.{number}"
            if one.at_round is not None and one.at_round >= until.rounds:
                found.append(Fault(f"{place}.at_round", f"there is no round {one.at_round}", f"rounds go from 0 to {until.rounds - 1}"))
            if one.at_seconds is not None and self.until_seconds is not None and one.at_seconds >= self.until_seconds:
                found.append(Fault(f"{place}.at_seconds", "is after until_seconds, when faults are over", "write an earlier time"))
            if nodes is not None:
                found += _of_nodes(one, place, nodes, lone_aggregators, late_aggregators)
        return found


def _of_nodes(one: Injection, place: str, nodes: int, lone_aggregators: frozenset[int], late_aggregators: frozenset[int]) -> list[Fault]:
    named: dict[str, Any] = {}
    for key in ("nodes", "to"):
        listed = getattr(one, key)
        try:
            named[key] = None if listed is None else ids(listed, nodes, f"{place}.{key}")
        except ScenarioError as error:
            return list(error.faults)
    if any(found is not None and not len(found) for found in named.values()):
        return [Fault(place, "names no node", "write ids, or leave it out")]
    hit = set(range(nodes) if named["nodes"] is None else named["nodes"].tolist())
    lone, late = sorted(hit & lone_aggregators), sorted(hit & late_aggregators)
    if one.name == "crash" and (lone or late) and one.params.get("disk") == "lost":
        if lone:
            problem = f"node {lone[0]} is the only aggregator: without its disk it would begin the run anew"
        else:
            problem = f"node {late[0]} aggregates in its turn and takes late updates: with its disk it would forget which are in its model"
        return [Fault(f"{place}.disk", problem, "write disk: kept, or name other nodes")]
    if one.name == "crash" and lone and one.per_hour is None and one.for_seconds is None:
        return [Fault(f"{place}.for_seconds", f"node {lone[0]} is the only aggregator and would be down for good", "write for_seconds: 10")]
    if one.name == "partition" and len(hit) == nodes and named["nodes"] is not None:
        return [Fault(f"{place}.nodes", "all nodes are on one side", "name those of one side")]
    return []
