"""What an aggregator does with what stands out and with what it thinks of senders, before its rule sees the updates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from coterie.aggregation.points import Points
from coterie.aggregation.rules import Rule
from coterie.trust.detection import FEWEST, Action, Detection, Found
from coterie.trust.ledger import Ledger
from coterie.trust.reputation import NEUTRAL, Evidence, Reputation, start
from coterie.trust.seen import Seen

WORDS: Mapping[Action, str] = {"flag": "flagged", "down-weight": "down-weighted", "cut": "cut"}
NOTED = 0.9
"""A weight that a reputation makes smaller than this share of itself is told of."""


class Verdict(NamedTuple):
    """What became of the update at `place`: flagged, down-weighted or cut; left out, where it is good but others are better.

    reason: a statistic, `reputation` or `links`. score: the robust z-score, or the reputation.
    """

    place: int
    what: str
    reason: str
    score: float


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the rule gets: the updates at the places `kept`, ascending, with `weights`; the verdicts; what is kept of the senders."""

    kept: np.ndarray
    weights: np.ndarray
    verdicts: list[Verdict]
    ledger: Ledger | None = None


@dataclass(frozen=True)
class Round:
    """What a guard knows of the updates besides themselves.

    me: the node that aggregates; its own update is always good. origins: (n,) whose each is. weights: (n,) what they weigh.
    lags: (n,) how many rounds each is behind. models: whether they are models that are mixed, the node's own among them. ledger: what was
    kept so far. opinions: the ledgers of others, by id. losses: gives (n,) losses on the node's own data; losses_of: (shares (k, n)) →
    (k,) those of sums.
    """

    me: int
    origins: np.ndarray
    weights: np.ndarray
    ledger: Ledger | None = None
    lags: np.ndarray | None = None
    models: bool = False
    opinions: Mapping[int, Ledger] = field(default_factory=dict)
    losses: Callable[[], np.ndarray] | None = None
    losses_of: Callable[[np.ndarray], np.ndarray] | None = None


@dataclass(frozen=True)
class Guard:
    """A detection, and a reputation where there is one.

    nodes: how many there are. founders: who is there from the beginning; None: whoever sends something in the first round.
    """

    detection: Detection
    nodes: int
    reputation: Reputation | None = None
    founders: frozenset[int] | None = None

    @property
    def needs_losses(self) -> bool:
        """Whether an aggregator must have data of its own."""
        return self.detection.needs_losses or (self.reputation is not None and self.reputation.needs_losses)

    @property
    def hears(self) -> bool:
        """Whether it is to be told what others think."""
        return self.reputation is not None and (self.reputation.needs_opinions or self.reputation.opinions > 0)

    @property
    def chooses(self) -> bool:
        """Whether it has a say in who is asked."""
        return self.reputation is not None and self.reputation.asked_every > 1

    def read(self, state: np.ndarray | None) -> tuple[Ledger | None, np.ndarray]:
        """(the ledger in the state of a rule (s,), the rule's own state)."""
        if self.reputation is None:
            return None, np.zeros(0, np.float32) if state is None else state
        return Ledger.read(state, len(self.reputation.columns), self.nodes)

    def opinions(self, states: Mapping[int, Any]) -> dict[int, Ledger]:
        """The ledgers in the states (s,) of others, by rater: what is no ledger says nothing."""
        if self.reputation is None:
            return {}
        width = len(self.reputation.columns)
        return {rater: Ledger.read(np.asarray(state, np.float32), width, self.nodes)[0] for rater, state in states.items()}

    def uninvited(self, state: Any, number: int) -> set[int]:
        """Who is not asked in round `number`, from a rule's state (s,): those in quarantine, except every so many rounds, in turn."""
        ledger, _ = self.read(np.asarray(state, np.float32))
        if ledger is None or self.reputation is None:
            return set()
        low = ledger.ids[self.reputation.scores(ledger.rows) < self.reputation.quarantine]
        return {node for node in low.tolist() if (number + node) % self.reputation.asked_every}

    def judge(self, points: Points, rule: Rule, known: Round, looked: tuple[Seen, Found] | None = None) -> Judgement:
        """What becomes of the n updates of a round; looked: what is seen among them, and what stands out, where that is known."""
        seen = Seen(points, known.losses) if looked is None else looked[0]
        found = self.detection.found(seen) if looked is None else looked[1]
        mine = known.origins == known.me
        out = (found.scores > self.detection.threshold) & ~mine
        ledger, scores = self._thought(seen, found, known)
        verdicts = [self._verdict(found, place) for place in _worst(out, found.scores)]
        cuts = verdicts if self.detection.action == "cut" else []
        factors = np.ones(points.count)
        if self.detection.action == "down-weight":
            factors[out] = self.detection.threshold / found.scores[out]
        if scores is not None:
            cuts = [*self._by_reputation(known, scores, mine), *cuts]
            trusted = _trusted(scores, mine)
            factors *= trusted
            out_anyway = {verdict.place for verdict in cuts}
            verdicts += [
                Verdict(place, "down-weighted", "reputation", float(scores[place]))
                for place in np.flatnonzero(trusted < NOTED).tolist()
                if place not in out_anyway
            ]
        gone, told = _settled(verdicts, cuts, _room(rule, points.count) if cuts else 0)
        kept = np.delete(np.arange(points.count), gone)
        return Judgement(kept, (known.weights * factors)[kept], told, ledger)

    def _verdict(self, found: Found, place: int) -> Verdict:
        what = WORDS[self.detection.action]
        return Verdict(int(place), what, found.statistics[place], float(found.scores[place]))

    def _by_reputation(self, known: Round, scores: np.ndarray, mine: np.ndarray) -> list[Verdict]:
        """Which do not count, the worst first: those in quarantine, and those that are not among the best that the node is linked to."""
        reputation = self.reputation
        assert reputation is not None
        others = [place for place in np.argsort(scores, kind="stable").tolist() if not mine[place]]
        low = [place for place in others if scores[place] < reputation.quarantine]
        found = [Verdict(place, "cut", "reputation", float(scores[place])) for place in low]
        if reputation.links is not None and known.models:
            ranked = sorted(others[len(low) :], key=lambda place: (-scores[place], place))
            found += [Verdict(place, "left out", "links", float(scores[place])) for place in reversed(ranked[reputation.links :])]
        return found

    def _thought(self, seen: Seen, found: Found, known: Round) -> tuple[Ledger | None, np.ndarray | None]:
        """(the ledger after this round, (n,) what is thought of the senders)."""
        reputation, points = self.reputation, seen.points
        if reputation is None:
            return None, None
        before = known.ledger or Ledger.empty(len(reputation.columns))
        rows, seen_before = before.of(known.origins)
        for place in np.flatnonzero(~seen_before).tolist():
            origin = int(known.origins[place])
            founding = origin == known.me or (not len(before.ids) if self.founders is None else origin in self.founders)
            late = NEUTRAL if founding else start(reputation.scores(before.rows), reputation.newcomer)
            rows[place] = reputation.began(late)
        ids, places, counts = _senders(known.origins)
        if points.count >= FEWEST:
            mine = int(np.flatnonzero(known.origins == known.me)[0]) if known.models else None
            threshold, many = self.detection.threshold, counts[places]
            rows = reputation.observed(
                rows, Evidence(seen, found, threshold, lags=known.lags, messages=many, losses_of=known.losses_of, mine=mine)
            )
        worst = places
        if len(ids) < points.count:
            thought = reputation.scores(rows)
            worst = np.array([min(np.flatnonzero(places == at).tolist(), key=lambda place: thought[place]) for at in range(len(ids))])
        others = ids != known.me
        ledger = before.with_rows(ids[others], rows[worst][others])
        scores = reputation.judged(known.me, ids, ledger, seen_before[worst], known.opinions)
        return ledger, scores[places]


def _senders(origins: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """((k,) who has sent something, ascending, (n,) which of them each update is of, (k,) how many each has sent)."""
    if (np.diff(origins) > 0).all():
        return origins, np.arange(len(origins)), np.ones(len(origins), np.int64)
    return np.unique(origins, return_inverse=True, return_counts=True)


def _settled(verdicts: list[Verdict], cuts: list[Verdict], room: int) -> tuple[np.ndarray, list[Verdict]]:
    """(the places that go, no more than there is `room` for; all verdicts by place): who would have to go and cannot is only flagged."""
    gone = list(dict.fromkeys(verdict.place for verdict in cuts))[:room]
    every = dict.fromkeys([*verdicts, *cuts])
    told = [one if one.place in gone or one not in cuts else one._replace(what="flagged") for one in every]
    return np.array(gone, np.int64), sorted(told, key=lambda one: one.place)


def _trusted(scores: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """(n,) what updates weigh for their senders' reputations `scores` (n,): as much as ever where that is usual, less where it is lower."""
    others = np.sort(scores[~mine])
    usual = float(others[(len(others) - 1) // 2] + others[len(others) // 2]) / 2 if len(others) else 1.0
    found: np.ndarray = np.where(mine, 1.0, np.minimum(1.0, scores / usual) if usual > 0 else 0.0)
    return found


def _worst(out: np.ndarray, scores: np.ndarray) -> Sequence[int]:
    """The places that are `out`, the highest score first."""
    places = np.flatnonzero(out)
    found: list[int] = places[np.argsort(-scores[places], kind="stable")].tolist()
    return found


def _room(rule: Rule, count: int) -> int:
    """How many of `count` updates may go before the rule has too few for what it is told of."""
    told = rule.told or 0
    return next((gone for gone in range(count - 1, 0, -1) if rule.stands(count - gone) >= told), 0)
