"""Aggregation: what the jobs `aggregate` and `mix` do. Nothing that comes in is trusted: a bad row is a verdict, not an error."""

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie.aggregation.arrays import weighted_sum
from coterie.aggregation.breakdown import TooFew
from coterie.aggregation.points import Points
from coterie.aggregation.rules import SumRule
from coterie.aggregation.weights import capped, credible
from coterie.core.jobs import Call
from coterie.learning.bench import Bench
from coterie.learning.calls import one_by_one
from coterie.learning.evaluation import outputs_of
from coterie.learning.finite import finite
from coterie.learning.together import Together
from coterie.learning.training import joined, local, sections
from coterie.trust.detection import Found
from coterie.trust.guard import Guard, Judgement, Round
from coterie.trust.ledger import Ledger
from coterie.trust.seen import Seen

Judged = tuple[int, str, str, float]
"""(origin, what became of its update, why, how much): see `coterie.trust.guard.Verdict`."""

FAINT = 0.1
"""An update of which a rule takes less than this share of what its weight would give it is told of."""


def aggregate(bench: Bench, calls: Sequence[Call]) -> Sequence[tuple[Any, ...]]:
    """The job: inputs (model, server state, rule state, *updates), args (weights, origins, fraction, cap, scales, lags).

    Gives (model, server state, rule state, facts).
    """
    return _aggregate(bench, calls)


def mix(bench: Bench, calls: Sequence[Call]) -> Sequence[tuple[Any, ...]]:
    """The job: inputs (model, rule state, *others, *opinions), args (weights, origins, raters); gives (model, rule state, facts).

    The engine `fast` takes the weighted sums of all nodes at once, and what other rules look at of all models.
    """
    if bench.engine == "exact" or bench.device != "cpu":
        return _mix(bench, calls)
    from coterie.learning.batched.mixing import mix as at_once

    found = at_once(bench, calls)
    rest = [place for place in range(len(calls)) if place not in found]
    if rest:
        some = [calls[place] for place in rest]
        together = Together(some) if len(some) > 1 else None
        found.update(zip(rest, one_by_one("mix")(lambda bench, call: _mixed(bench, call, together))(bench, some), strict=True))
    return [found[place] for place in range(len(calls))]


@one_by_one("aggregate")
def _aggregate(bench: Bench, call: Call) -> tuple[Any, ...]:
    model, server, rule, *updates = call.inputs
    weights, origins, fraction, cap, scales, lags = call.args
    size = len(bench.algorithm.update) * bench.size
    if scales:
        updates = [scaled(bench, update, scale) for update, scale in zip(updates, scales, strict=True)]
    rows = Rows.of(updates, weights, origins, size, cap)
    found, state, facts = combined(bench, call, rows, rule, Meaning(lambda row: model[: bench.size] + row[: bench.size], lags=lags))
    if found is None:
        return model, _kept(bench, server), state, facts
    fraction *= facts["aggregated"] / len(updates)
    published, served_state = served(bench, model, found, sections(bench, server), fraction)
    if not (finite(published) and finite(served_state)):  # a sum of finite numbers that is too large
        return model, _kept(bench, server), _kept(bench, rule), facts | {"aggregated": 0}
    return published, served_state, state, facts


@one_by_one("mix")
def _mix(bench: Bench, call: Call) -> tuple[Any, ...]:
    return _mixed(bench, call, None)


def _mixed(bench: Bench, call: Call, together: Together | None) -> tuple[Any, ...]:
    model, rule, *others = call.inputs
    weights, origins, raters = call.args
    others, said = others[: len(origins)], others[len(origins) :]
    rows = Rows.of((model, *others), weights, (call.node, *origins), len(model), math.inf)
    meaning = Meaning(lambda row: row[: bench.size], models=True, opinions=dict(zip(raters, said, strict=True)), together=together)
    found, state, facts = combined(bench, call, rows, rule, meaning)
    return model if found is None else found, state, facts


def scaled(bench: Bench, update: Tensor, scale: float) -> Tensor:
    """`update` with its change of the model multiplied by `scale`; further sections (SCAFFOLD's control variates) are sums, and stay."""
    if scale == 1.0:
        return update
    found = update.clone()
    found[: bench.size] *= scale
    return found


def _kept(bench: Bench, state: Tensor | None) -> Tensor:
    return bench.empty(0) if state is None else state


@dataclass
class Rows:
    """What is aggregated, in the order of origins; `rejected` names those left out."""

    vectors: list[Tensor]
    weights: list[float]
    origins: list[int]
    rejected: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, vectors: Sequence[Tensor], weights: Sequence[float], origins: Sequence[int], size: int, cap: float) -> "Rows":
        """Those of the right size and with a possible weight, none over `cap` times the median weight."""
        order = sorted(range(len(origins)), key=origins.__getitem__)
        possible = credible(weights).tolist()
        fits = [possible[place] and vectors[place].shape == (size,) for place in order]
        good = list(itertools.compress(order, fits))
        rejected = [origins[place] for place in itertools.compress(order, map(operator.not_, fits))]
        believed = capped([weights[place] for place in good], cap).tolist()
        return cls([vectors[place] for place in good], believed, [origins[place] for place in good], rejected)

    def screen(self, sound: Callable[[Tensor], bool] = finite) -> bool:
        """Leaves out vectors with a number that is not finite, as `sound` tells; whether there were any."""
        good = [sound(vector) for vector in self.vectors]
        if all(good):
            return False
        self.rejected = sorted([*self.rejected, *itertools.compress(self.origins, map(operator.not_, good))])
        for name in ("vectors", "weights", "origins"):
            setattr(self, name, list(itertools.compress(getattr(self, name), good)))
        return True

    def usable(self) -> bool:
        """Whether anything is left that weighs."""
        return any(weight > 0 for weight in self.weights)


@dataclass(frozen=True)
class Meaning:
    """What rows are: as_model gives the model (d,) that one stands for; models: whether each is one. lags: rounds that each is behind.

    opinions: what others think of others, by rater. together: what is known of all models of the round, if anything.
    """

    as_model: Callable[[Tensor], Tensor]
    models: bool = False
    lags: tuple[int, ...] = ()
    opinions: Mapping[int, Tensor] = field(default_factory=dict)
    together: Together | None = None


def combined(bench: Bench, call: Call, rows: Rows, state: Tensor | None, meaning: Meaning) -> tuple[Tensor | None, Tensor, dict[str, Any]]:
    """(what the aggregation rule makes of `rows`, the new state of rule and guard, facts); None if it can make nothing of them.

    A weighted sum is not finite if any of its rows is not, so it is looked at afterwards: the rows are read only once.
    """
    desk = Desk(bench, call, meaning, _kept(bench, state))
    if not isinstance(bench.rule, SumRule) or bench.guard is not None:
        rows.screen(finite if meaning.together is None else meaning.together.finite)
    while rows.usable():
        begun = desk.state
        try:
            found = desk.found(rows)
        except TooFew:
            break
        if found is None:
            break
        if finite(found):
            return found, desk.state, desk.facts(rows)
        desk.state = begun
        if not rows.screen():
            break
    desk.aggregated = 0
    return None, desk.state, desk.facts(rows)


@dataclass
class Desk:
    """Where one aggregation is made: the guard judges, the rule aggregates, and what became of whom is noted.

    state: of the guard and of the rule, replaced once they have new ones.
    """

    bench: Bench
    call: Call
    meaning: Meaning
    state: Tensor
    aggregated: int = 0
    verdicts: list[Judged] = field(default_factory=list)

    def found(self, rows: Rows) -> Tensor | None:
        """The aggregate, or None where nothing is left that counts; raises TooFew."""
        rule, guard = self.bench.rule, self.bench.guard
        self.verdicts.clear()
        ledger, before = None, self.state if guard is None else self._read(guard)[1]
        inputs = self._inputs(rows, before)
        if guard is None and not rule.by_points:
            self.aggregated = len(rows.vectors)
            return self._kept(rule.combine(rows.vectors, rows.weights, **inputs), None)
        points, weights, origins = self._points(rows, inputs), np.array(rows.weights), rows.origins
        if guard is not None:
            looked = None if self.meaning.together is None else self.meaning.together.looked(guard, rows.vectors)
            judged = self.judged(rows, points, inputs, looked)
            origins, ledger = [origins[place] for place in judged.kept], judged.ledger
            points, weights, inputs = _only(points, judged, inputs)
            if not weights.sum() > 0:
                return None
        found = rule.on(points, weights, **inputs)
        self.verdicts += self._left_out(origins, points, weights)
        self.aggregated = points.count
        return self._kept(found, ledger)

    def _points(self, rows: Rows, inputs: dict[str, Any]) -> Points:
        """The rows as the rule looks at them, with what is known of them already."""
        points = self.bench.rule.points(rows.vectors, **inputs)
        names = points.places.keys() - {"origin"}
        if self.meaning.together is not None and names <= inputs.keys():
            self.meaning.together.share(points, rows.vectors, [inputs[name] for name in points.places if name in names])
        return points

    def shares(self, rows: Rows) -> np.ndarray | None:
        """(n,) the parts of rows in what a rule without guard and state makes of them; None of a rule that gives none; raises TooFew."""
        inputs = self._inputs(rows, self.state)
        points, weights = self._points(rows, inputs), np.array(rows.weights)
        found = self.bench.rule.shares(points, weights, **inputs)
        if found is None:
            return None
        shares = found[: points.count].copy()
        for name, place in points.places.items():
            if name == "own" and place < len(found):
                shares[rows.origins.index(self.call.node)] += found[place]
        self.verdicts += self._left_out(rows.origins, points, weights)
        self.aggregated = points.count
        return shares

    def judged(self, rows: Rows, points: Points, inputs: dict[str, Any], looked: tuple[Seen, Found] | None) -> Judgement:
        """What the guard makes of the rows, of which it keeps a state and verdicts."""
        guard = self.bench.guard
        assert guard is not None
        ledger, before = self._read(guard)
        found = guard.judge(points, self.bench.rule, self._round(rows, np.array(rows.weights), ledger, inputs), looked)
        self.verdicts += [(rows.origins[one.place], one.what, one.reason, one.score) for one in found.verdicts]
        self.state, self.aggregated = self._written(found.ledger, before), len(found.kept)
        return found

    def facts(self, rows: Rows) -> dict[str, Any]:
        """How many were aggregated, who was left out as unsound, and what was thought of the others."""
        found: dict[str, Any] = {"aggregated": self.aggregated, "rejected": rows.rejected}
        if self.bench.guard is not None:
            found["received"] = rows.origins
        return found | ({"judged": [list(one) for one in self.verdicts]} if self.verdicts else {})

    def _kept(self, found: Any, ledger: Ledger | None) -> Tensor:
        """The aggregate, once the state beside it is kept, if there is one."""
        vector: Tensor = found[0] if isinstance(found, tuple) else found
        if isinstance(found, tuple):
            self.state = self._written(ledger, found[1])
        return vector

    def _read(self, guard: Guard) -> tuple[Ledger | None, Tensor]:
        ledger, rest = guard.read(self.state.cpu().numpy())
        return ledger, torch.from_numpy(np.ascontiguousarray(rest)).to(self.state)

    def _written(self, ledger: Ledger | None, rest: Tensor) -> Tensor:
        if ledger is None:
            return rest
        vector = torch.from_numpy(ledger.written(rest.cpu().numpy()))
        found = self.bench.empty(len(vector))
        found.copy_(vector)
        return found

    def _round(self, rows: Rows, weights: np.ndarray, ledger: Ledger | None, inputs: dict[str, Any]) -> Round:
        """What the guard is told."""
        bench, node, as_model = self.bench, self.call.node, self.meaning.as_model
        lag = dict(zip(self.call.args[1], self.meaning.lags, strict=False))
        return Round(
            me=node,
            origins=np.array(rows.origins, np.int64),
            weights=weights,
            ledger=ledger,
            lags=np.array([lag.get(origin, 0) for origin in rows.origins]),
            models=self.meaning.models,
            opinions={} if self.bench.guard is None else self.bench.guard.opinions(self.meaning.opinions),
            losses=lambda: (inputs["losses"] if "losses" in inputs else self._losses(rows)).cpu().numpy(),
            losses_of=lambda shares: np.array([float(_loss(bench, node, as_model(_sum(rows, row)))) for row in shares]),
        )

    def _left_out(self, origins: list[int], points: Points, weights: np.ndarray) -> list[Judged]:
        """What the rule itself made of each update, where it says so."""
        if points.parts is None or not points.parts.sum() > 0:
            return []
        shares = points.parts / points.parts.sum() * weights.sum() / np.where(weights > 0, weights, np.inf)
        name, me = self.bench.rule.name, self.call.node
        return [
            (origin, "left out" if share == 0 else "down-weighted", name, share)
            for origin, share in zip(origins, shares.tolist(), strict=True)
            if share < FAINT and origin != me
        ]

    def _losses(self, rows: Rows) -> Tensor:
        return torch.stack([_loss(self.bench, self.call.node, self.meaning.as_model(row)) for row in rows.vectors])

    def _inputs(self, rows: Rows, history: Tensor) -> dict[str, Any]:
        """The reserved inputs that the rule asks for; see `coterie.aggregation.RULES`."""
        bench, call = self.bench, self.call
        own = rows.vectors[rows.origins.index(call.node)] if call.node in rows.origins else None
        makers: dict[str, Callable[[], Any]] = {
            "own": lambda: torch.zeros_like(rows.vectors[0]) if own is None else own,
            "reference": lambda: local(bench, call.node, call.round, call.inputs[0], None)[0] if own is None else own,
            "start": lambda: call.inputs[0],
            "history": lambda: history if len(history) else None,
            "losses": lambda: self._losses(rows),
            "progress": lambda: call.round / bench.rounds if bench.rounds else 0.0,
            "key": lambda: bench.draw(call.node, "aggregation", call.round),
            "layout": lambda: bench.network.layout,
        }
        return {name: makers[name]() for name in bench.rule.inputs}


def _only(points: Points, judged: Judgement, inputs: dict[str, Any]) -> tuple[Points, np.ndarray, dict[str, Any]]:
    """The updates that are kept, what they weigh, and the inputs for them."""
    if len(judged.kept) == points.count:
        return points, judged.weights, inputs
    losses = {"losses": inputs["losses"][judged.kept]} if "losses" in inputs else {}
    return points.at(judged.kept), judged.weights, inputs | losses


def _sum(rows: Rows, shares: np.ndarray) -> Tensor:
    found: Tensor = weighted_sum(rows.vectors, shares.tolist())
    return found


def _loss(bench: Bench, node: int, model: Tensor) -> Tensor:
    """The loss of `model` (d,) on the training part of `node`."""
    inputs, targets = bench.train_shards[node]
    bench.replica.load(model)
    with torch.inference_mode():
        return bench.loss.mean(outputs_of(bench, inputs), targets).clone()


def served(bench: Bench, model: Tensor, mean: Tensor, state: tuple[Tensor, ...], fraction: float) -> tuple[Tensor, Tensor]:
    """(published vector, server state) after the algorithm's server step; what is not trained just takes its mean change."""
    start, broadcast = sections(bench, model[: bench.size])[0], sections(bench, model[bench.size :])
    moved, broadcast, state = bench.algorithm.server(start, sections(bench, mean), broadcast, state, fraction)
    published, trained = joined(bench, (moved, *broadcast)), bench.trained
    if trained < bench.size:
        torch.add(model[trained : bench.size], mean[trained : bench.size], out=published[trained : bench.size])
    return published, joined(bench, state)
