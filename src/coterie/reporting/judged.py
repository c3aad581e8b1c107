"""What aggregators thought of updates: flagged, down-weighted, cut, or left out by their rule; and how often that was right."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

Index = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]

LEFT_OUT = "left out"
"""A rule takes few by its nature: what it does not take is not thought bad."""


class JudgedEvent(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="judged"):
    """In a round `node` judged the updates of the nodes `of`, all in the same way and for the same reason.

    what: flagged, down-weighted, cut or left out. reason: a statistic, `reputation`, `links`, or the rule. scores: of each, a robust
    z-score, a reputation, or the share that was left of it; null where it is beyond all numbers.
    """

    node: Index
    round: Index
    seconds: float
    what: str
    reason: str
    of: tuple[Index, ...]
    scores: tuple[float | None, ...] = ()


class Defence(msgspec.Struct, frozen=True, kw_only=True):
    """What became of updates in a run, one for each receiver, and how well that fits who attacked.

    judged: how many, by what became of them. precision: the share of attackers' among those flagged, down-weighted or cut. recall: the
    share of those among the updates with which attackers attacked. Both are null where nobody attacks, or nothing looks for attackers.
    """

    judged: dict[str, Count] = {}
    precision: float | None = None
    recall: float | None = None


@dataclass
class Tally:
    """Counts verdicts. attackers: at any time; what they think does not count. attacking: (node, round) → whether it attacks then."""

    attackers: frozenset[int] = frozenset()
    attacking: Callable[[int, int], bool] = lambda *_: False
    judged: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    suspected: int = 0
    rightly: int = 0
    bad: int = 0
    found: int = 0
    taken: int = 0
    """Updates, and models of others, that went into an aggregation."""

    def take(self, node: int, round: int, seconds: float, facts: Mapping[str, Any]) -> Iterator[JudgedEvent]:
        """Counts what the facts of an aggregation tell, noted for `round`, and gives its events."""
        groups: defaultdict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
        suspected: set[int] = set()
        self.taken += facts.get("aggregated", 0)
        for origin, what, reason, score in facts.get("judged", ()):
            groups[what, reason].append((int(origin), float(score)))
            self.judged[what] += 1
            if what != LEFT_OUT:
                suspected.add(int(origin))
        if self.attackers and node not in self.attackers:
            self.suspected += len(suspected)
            self.rightly += len(suspected & self.attackers)
            bad = {origin for origin in map(int, facts.get("received", ())) if self.attacking(origin, round - 1)}
            self.bad += len(bad)
            self.found += len(bad & suspected)
        for (what, reason), some in groups.items():
            origins, scores = zip(*some, strict=True)
            yield JudgedEvent(node, round, seconds, what, reason, origins, tuple(float(f"{score:.4g}") for score in scores))

    @property
    def defence(self) -> Defence | None:
        """For the summary; None where nothing was judged."""
        if not self.judged and not self.bad:
            return None
        precision = self.rightly / self.suspected if self.suspected else None
        return Defence(judged=dict(sorted(self.judged.items())), precision=precision, recall=self.found / self.bad if self.bad else None)

    def saved(self) -> list[Any]:
        """What `restored` needs."""
        return [list(self.judged.items()), self.suspected, self.rightly, self.bad, self.found, self.taken]

    def restored(self, saved: Sequence[Any]) -> None:
        """Become what `saved` said."""
        self.judged.update(saved[0])
        self.suspected, self.rightly, self.bad, self.found, self.taken = saved[1:]
