"""Whom the aggregation rule protects: how many updates come together at each node, and how many bad ones the rule then stands."""

from collections.abc import Iterator
from dataclasses import dataclass

from coterie.aggregation.rules import Composed, Rule
from coterie.core.ids import NodeId
from coterie.federation.table import RoundTable
from coterie.scenario.setup import Setup

MOST_ROUNDS, MOST_PLANS = 100, 50_000
"""Rounds that differ are looked at up to so many, and until so many plans have been made."""

NAMED = 5


@dataclass(frozen=True)
class Gathering:
    """What one node aggregates at a time.

    exchange: whether it is the models of fellow aggregators, its own among them; else the updates of its trainers.
    fewest, most: how many there may be in a round; round: the first with the fewest. bad: the most that attackers send in a round.
    """

    node: int
    exchange: bool
    fewest: int
    most: int
    round: int
    bad: int

    @property
    def what(self) -> str:
        """What is aggregated, in words."""
        return "models" if self.exchange else "updates"


@dataclass(frozen=True)
class Unprotected:
    """Nodes whose result so many bad updates could move at will, and why; gathering: that of the one that gets fewest."""

    nodes: tuple[int, ...]
    bad: int
    reason: str
    gathering: Gathering


@dataclass(frozen=True)
class Protection:
    """How far the rule protects a federation.

    byzantine: how many bad updates are to be stood at a node; where attackers are known, the most that they send to one node.
    gatherings: what is aggregated, by (node, exchange). unprotected: where the rule does not stand them.
    """

    rule: Rule
    byzantine: int
    gatherings: tuple[Gathering, ...]
    unprotected: tuple[Unprotected, ...]

    def words(self) -> Iterator[str]:
        """The whole in sentences, with what to do."""
        name, bad = self.rule.name, f"{self.byzantine} bad update{'s' * (self.byzantine != 1)}"
        if not self.gatherings:
            return
        if not self.byzantine:
            most = min(self.rule.stands(one.fewest) for one in self.gatherings)
            yield f"{name} would stand {most} bad ones at every node" if most else f"{name} stands no bad updates"
        elif not self.unprotected:
            least = min(self.gatherings, key=lambda one: one.fewest)
            yield f"{name} stands {bad} at every node; the fewest {least.what} are {least.fewest}, at node {least.node}"
        for some in self.unprotected:
            whom = f"{named(some.nodes)} {'is' if len(some.nodes) == 1 else 'are'}"
            yield f"{whom} not protected from {some.bad} bad: {name}: {some.reason}; {self._fix(some)}"

    def _fix(self, some: Unprotected) -> str:
        most = self.rule.stands(some.gathering.fewest)
        if self.rule.breakdown is None and not isinstance(self.rule, Composed):
            return "say so where the rule is registered (breakdown)"
        told = self.rule.told
        if told is not None and told < some.bad <= most:
            return f"write byzantine: {some.bad}"
        if not self.rule.stands(10**6):
            minority = 2 * some.bad < some.gathering.fewest
            other = f"{{name: trimmed_mean, byzantine: {some.bad}}}" if minority else "sentinel" if some.gathering.exchange else "fltrust"
            return f"choose a rule that stands {'some' if minority else 'so many, by data of its own'}, such as {other}"
        more = "let more take part" if not some.gathering.exchange else "add neighbours"
        return f"{more}, or count on at most {most}"


def named(nodes: tuple[int, ...]) -> str:
    """Nodes by their ids, the first few of many."""
    if len(nodes) == 1:
        return f"node {nodes[0]}"
    return f"nodes {', '.join(map(str, nodes[:NAMED]))}" + (f" and {len(nodes) - NAMED} more" if len(nodes) > NAMED else "")


def protection(setup: Setup, *, byzantine: int | None = None, attackers: frozenset[int] | None = None) -> Protection:
    """How far the rule of a scenario protects it.

    byzantine: how many bad updates each node is to stand; by default those of the `attackers` that are among its own, or without any
    as many as the rule is set up for.
    """
    rule, found = setup.rule, tuple(gatherings(setup, attackers or frozenset()))
    told = rule.told or 0
    groups: dict[tuple[int, str], list[Gathering]] = {}
    for one in found:
        if attackers is not None and one.node in attackers and one.exchange:
            continue
        bad = byzantine if byzantine is not None else one.bad if attackers is not None else told
        reason = rule.unprotected(one.fewest, bad) if bad else ""
        if reason:
            groups.setdefault((bad, reason), []).append(one)
    most = byzantine if byzantine is not None else max((one.bad for one in found), default=0) if attackers is not None else told
    unprotected = tuple(
        Unprotected(tuple(sorted({one.node for one in some})), bad, reason, min(some, key=lambda one: (one.fewest, one.node)))
        for (bad, reason), some in groups.items()
    )
    return Protection(rule, most, found, unprotected)


def gatherings(setup: Setup, attackers: frozenset[int] = frozenset()) -> list[Gathering]:
    """What is aggregated in the rounds that are looked at, by node."""
    if setup.schedule.mixing is not None:
        return []
    found: dict[tuple[int, bool], Gathering] = {}
    planner, plans = setup.planner, 0
    differ = planner.roles.rotates or not planner.static or planner.sharing.neighbours is not None
    for number in range(min(setup.scenario.until.rounds, MOST_ROUNDS) if differ else 1):
        for one in _of_round(setup, planner.table(number), attackers):
            key = one.node, one.exchange
            known = found.get(key, one)
            first = known.round if known.fewest <= one.fewest else one.round
            found[key] = Gathering(*key, min(known.fewest, one.fewest), max(known.most, one.most), first, max(known.bad, one.bad))
            plans += 1
        if plans > MOST_PLANS:
            break
    return [found[key] for key in sorted(found)]


def _of_round(setup: Setup, table: RoundTable, attackers: frozenset[int]) -> Iterator[Gathering]:
    schedule = setup.schedule
    for node in table.aggregators.tolist():
        others = table.collectors[node]
        own = int(table.sends_to.get(node) == node)
        if not setup.coupled and len(others) + own:
            whole = len(others) + own
            least = schedule.buffer if schedule.asynchronous else int(min(len(others), schedule.need(len(others)))) + own
            bad = len(attackers & others) + int(own and node in attackers)
            yield Gathering(
                node, False, min(least, whole), min(whole, schedule.buffer) if schedule.asynchronous else whole, table.round, bad
            )
        if len(table.aggregators) < 2:
            continue
        partners = setup.planner.plan(NodeId(node), table.round).exchange_from
        if partners:
            whole = 1 + len(partners)
            least = 2 if schedule.asynchronous else 1 + int(min(len(partners), schedule.need(len(partners))))
            yield Gathering(node, True, least, whole, table.round, len(attackers.intersection(partners)))


def unguarded(setup: Setup) -> Iterator[str]:
    """What nothing protects from, in sentences: aggregators that others have to believe."""
    if setup.coupled:
        return
    who = tuple(setup.roles.aggregator.candidates.tolist())
    turns = "each in its turn" if setup.roles.aggregator.rotates else "each for those it serves" if len(who) > 1 else "for all"
    yield (
        f"nothing protects from a bad aggregator: what {named(who)} publish{'es' * (len(who) == 1)}, {turns}, is taken as it is; "
        "let only those aggregate whom all trust, or write architecture: decentralized"
    )
    bad = tuple(sorted(setup.attackers.intersection(who)))
    if bad:
        yield f"{named(bad)} {'is an attacker' if len(bad) == 1 else 'are attackers'} and may aggregate"
