"""A small world: honest updates round a common direction, and bad ones of whoever is bad in a round."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from coterie import aggregation
from coterie.trust import REPUTATIONS, Detection, Guard, Judgement, Ledger
from coterie.trust.guard import Round

SIZE = 200
NODES = 1000
MEAN = aggregation.build("mean")


def updates(honest: int, bad: int = 0, *, seed: int = 0, scale: float = -1.0) -> np.ndarray:
    """(honest + bad, SIZE) float32: those of the last ones point the other way."""
    draw = np.random.default_rng(seed)
    rows = 1 + draw.standard_normal((honest + bad, SIZE))
    rows[honest:] *= scale
    return rows.astype(np.float32)


@dataclass
class World:
    """A node that aggregates, over many rounds."""

    guard: Guard
    me: int = NODES - 1
    ledger: Ledger | None = None
    models: bool = False
    weight: dict[int, list[float]] = field(default_factory=dict)
    """What each node weighed in its rounds, as a share of what it would weigh among all alike."""

    def round(self, who: Iterable[int], bad: Iterable[int] = (), opinions: Mapping[int, Ledger] = {}, seed: int = 0) -> Judgement:
        """One round in which `who` take part, `bad` among them."""
        ids, worse = sorted(who), set(bad)
        rows = updates(len(ids), seed=seed)
        rows[[node in worse for node in ids]] *= -1
        points = MEAN.points(rows)
        known = Round(self.me, np.array(ids), np.ones(len(ids)), self.ledger, models=self.models, opinions=opinions)
        judged = self.guard.judge(points, MEAN, known)
        self.ledger = judged.ledger
        total = judged.weights.sum()
        for node in ids:
            self.weight.setdefault(node, []).append(0.0)
        for place, weight in zip(judged.kept.tolist(), judged.weights.tolist(), strict=True):
            self.weight[ids[place]][-1] = weight / total * len(ids)
        return judged

    def reputation(self, node: int) -> float:
        """What is thought of a node from what was seen of it."""
        assert self.ledger is not None
        assert self.guard.reputation is not None
        rows, known = self.ledger.of(np.array([node]))
        assert known.all()
        return float(self.guard.reputation.scores(rows)[0])


def world(name: str = "beta", *, founders: frozenset[int] | None = None, models: bool = False, **params: object) -> World:
    """With a reputation by name."""
    return World(Guard(Detection(), NODES, REPUTATIONS.entry(name).thing(**params), founders), models=models)
