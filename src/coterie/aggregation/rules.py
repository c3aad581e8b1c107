"""What an aggregation rule is, how one is registered and how one is built.

Rule 1: a rule is pure: it never changes its inputs, and knows nothing of nodes, rounds or messages.
Rule 2: a rule that is a plain weighted sum is registered by its coefficients (`sum_rule`): its type is then `SumRule`, and
secure aggregation and streaming, which see no single update, accept only those.
Rule 3: a rule says how many bad updates it stands (`breakdown`), and refuses fewer than it needs for those it is told of.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, cast, overload

import numpy as np
from pydantic import AfterValidator

from coterie.aggregation.arrays import Array, like, stacked, weighted_sum
from coterie.aggregation.breakdown import Breakdown, TooFew
from coterie.aggregation.kinds import VECTORS, Before, Coefficients, Function, Kind, OfColumns, OfGram, OfPoints
from coterie.aggregation.points import Points
from coterie.core.errors import ScenarioError
from coterie.core.registry import Entry, Registry

NUMBER = np.zeros(1)
DEEPEST = 4
"""How many pre-aggregators may stand before one another."""


RULES: Registry[Function] = Registry(
    "aggregation rule",
    home="coterie.aggregation",
    reserved={"own", "reference", "start", "history", "losses", "progress", "key", "layout"},
)
"""Reserved inputs, given to the rules that name them as keyword-only parameters:

own: (d,) the aggregating node's own row; reference: (d,) the update its own data would make; start: (d,) the model that the
updates start from; history: (s,) or None, the state that the rule returned last time; losses: (n,) loss of each row's model on
the node's own training part; progress: float in [0, 1], the share of the run that is done; key: a numpy Generator; layout: the
`Layout` of the model.

One whose default is None may be left out by who calls the rule directly; one with another default is a parameter.
"""


@overload
def rule(function: Function) -> Function: ...
@overload
def rule(*, name: str | None = None, breakdown: Breakdown | None = None) -> Callable[[Function], Function]: ...
def rule(function: Function | None = None, *, name: str | None = None, breakdown: Breakdown | None = None) -> Any:
    """Decorator: register `(updates (n, d), weights (n,), *, parameters) -> (d,)`, or `-> ((d,), state (s,))`."""

    def put(function: Function) -> Function:
        if breakdown is not None:
            function.breakdown = breakdown  # type: ignore[attr-defined]
        return RULES.register(name)(function)

    return put if function is None else put(function)


@overload
def sum_rule(function: Function) -> Function: ...
@overload
def sum_rule(*, name: str | None = None, breakdown: Breakdown | None = None) -> Callable[[Function], Function]: ...
def sum_rule(function: Function | None = None, *, name: str | None = None, breakdown: Breakdown | None = None) -> Any:
    """Decorator: register `(weights (n,), *, parameters) -> coefficients (n,)`: the rule is `coefficients @ updates`."""

    def put(function: Function) -> Function:
        return RULES.register(name)(Coefficients(function, breakdown))

    return put if function is None else put(function)


def _decorator(kind: type[Kind]) -> Callable[[Breakdown], Callable[[Function], Function]]:
    return lambda breakdown: lambda function: RULES.register()(kind(function, breakdown))


gram_rule = _decorator(OfGram)
"""Decorator, with a breakdown: register `(points, weights (n,), *, parameters) -> shares (k,)`; see `OfGram`."""
points_rule = _decorator(OfPoints)
"""Decorator, with a breakdown: register `(points, weights (n,), *, parameters) -> (d,)`; see `OfPoints`."""
column_rule = _decorator(OfColumns)
"""Decorator, with a breakdown: register `(block (n, b), *, parameters) -> (b,)`; see `OfColumns`."""


def pre_aggregator(
    breakdown: Breakdown | None, then: str, left: Callable[[int, Mapping[str, Any]], int] = lambda count, _: count
) -> Callable[[Function], Function]:
    """Decorator: register `(points, *, parameters) -> shares (k, n + 1)`, with the rule that follows by default; see `Before`."""
    return lambda function: RULES.register()(Before(function, breakdown, left, (Then, {"name": then})))


def _completed(choice: Any) -> dict[str, Any]:
    """The description of a rule, checked and with its defaults; raises ScenarioError (a ValueError, which the schema reports)."""
    told = {"name": choice} if isinstance(choice, str) else dict(choice)
    name = told.pop("name", None)
    if not isinstance(name, str):
        raise ScenarioError.at("name", "is missing", "write {name: median}, or another rule")
    found = {"name": name, **RULES.entry(name).check(told)}
    depth, inner = 0, found
    while isinstance(inner.get("then"), dict):
        depth, inner = depth + 1, inner["then"]
    if depth >= DEEPEST:
        raise ScenarioError.at("then", f"{depth + 1} pre-aggregators stand before one another", f"take at most {DEEPEST}")
    return found


Then = Annotated[str | dict[str, Any], AfterValidator(_completed)]
"""The rule that follows a pre-aggregator: a name, or a mapping with a name and parameters."""


@dataclass(frozen=True)
class Rule:
    """A rule with its parameters, ready to be called.

    inputs: the reserved inputs that it asks for; optional: those of them that may be left out. given: inputs fixed once and for all.
    """

    name: str
    function: Function
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    given: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, updates: Any, weights: Any = None, **inputs: Any) -> Any:
        """The aggregate (d,) of `updates` (n, d), or (aggregate, state (s,)) where the rule keeps a state and `history` was passed.

        NumPy or torch in, the same out. `weights` (n,) default to ones. Raises ValueError for wrong shapes or weights and
        for missing reserved inputs, `NotFinite` (one, too) for updates with a number that is not finite, TooFew where n is
        too small for the rule.
        """
        return self._called(stacked(updates), weights, inputs)

    def combine(self, rows: Sequence[Array], weights: Sequence[float], **inputs: Any) -> Any:
        """The same over n separate vectors (d,)."""
        return self._called(rows if self.by_points else stacked(rows), weights, inputs)

    @property
    def by_points(self) -> bool:
        """Whether it is written for points: not a plain sum, nor a plain function."""
        return isinstance(self.function, Kind) and not isinstance(self.function, Coefficients)

    def points(self, rows: Sequence[Array], **inputs: Any) -> Points:
        """N vectors (d,) as points, with those among the inputs and parameters that are vectors."""
        vectors = {name: value for name, value in {**self.params, **self.given, **inputs}.items() if self.is_vector(name, value)}
        return Points(rows, {name: like(value, rows[0]) for name, value in vectors.items()})

    def on(self, points: Points, weights: Any, **inputs: Any) -> Any:
        """As a call, over `points` made with the same inputs, all or some of them; `points.parts` then says what became of each."""
        known = {**self.given, **inputs}
        self._known(known)
        found = self.of(points, _weights(weights, points.count), {**known, **self._places(points, known)})
        return self._finished(found, known, points.model)

    def shares(self, points: Points, weights: Any, **inputs: Any) -> np.ndarray | None:
        """The parts (k,) of the points in the aggregate, for who sums the vectors otherwise; None of a rule that gives none, or a state."""
        if not isinstance(self.function, OfGram):
            return None
        known = {**self.given, **inputs}
        self._known(known)
        self._enough(points.count)
        found, state = self.function.shares(
            points, _weights(weights, points.count), **{**self.params, **known, **self._places(points, known)}
        )
        points.tell(found)
        return found if state is None else None

    def _places(self, points: Points, inputs: Mapping[str, Any]) -> dict[str, int]:
        return {name: points.places[name] for name, value in {**self.params, **inputs}.items() if self.is_vector(name, value)}

    def _known(self, known: Mapping[str, Any]) -> None:
        """Raises ValueError for inputs that are missing or needless."""
        missing, needless = self.inputs - self.optional - known.keys(), known.keys() - self.inputs - (RULES.reserved & self.params.keys())
        if missing or needless:
            problem = f"needs {', '.join(sorted(missing))}" if missing else f"has no use for {', '.join(sorted(needless))}"
            raise ValueError(f"aggregation rule {self.name} {problem}")

    def _called(self, updates: Any, weights: Any, inputs: Mapping[str, Any]) -> Any:
        known = {**self.given, **inputs}
        self._known(known)
        self._enough(len(updates))
        values = _weights(weights, len(updates))
        return self._finished(self._found(updates, values, known), known, updates[0])

    def _finished(self, found: Any, known: Mapping[str, Any], model: Array) -> Any:
        if isinstance(found, tuple):
            state_is_wanted = "history" in known or "history" not in self.optional
            found = (found[0], found[1]() if callable(found[1]) else found[1]) if state_is_wanted else found[0]
        return tuple(self._like(part, model, n) for n, part in enumerate(found)) if isinstance(found, tuple) else self._like(found, model)

    def _found(self, updates: Any, weights: np.ndarray, inputs: Mapping[str, Any]) -> Any:
        if self.by_points:
            points = self.points(updates, **inputs)
            return self.of(points, weights, {**inputs, **self._places(points, inputs)})
        return self.function(updates, like(weights, updates[0]), **self.params, **inputs)

    def of(self, points: Points, weights: np.ndarray, inputs: Mapping[str, Any]) -> Any:
        """The aggregate (d,) of `points`, or (aggregate, state); vectors among the inputs are places."""
        self._enough(points.count)
        if isinstance(self.function, Kind):
            return self.function(points, weights, **{**self.params, **inputs})
        updates = stacked([like(row, points.model) for row in points.rows])
        vectors = {name: like(points.vector(at), updates[0]) if self.is_vector(name, at) else at for name, at in inputs.items()}
        return self.function(updates, like(weights, updates[0]), **{**self.params, **vectors})

    def is_vector(self, name: str, value: Any) -> bool:
        """Whether an input or parameter is a vector that becomes a point: not a word such as `mean`, nor left out."""
        return name in getattr(self.function, "vectors", VECTORS) and value is not None and not isinstance(value, str)

    @property
    def breakdown(self) -> Breakdown | None:
        """How many bad updates it stands; None where nobody said."""
        return getattr(self.function, "breakdown", None)

    @property
    def told(self) -> int | None:
        """How many bad updates it is set up for; None where it takes no such number."""
        return self.params.get("byzantine")

    @property
    def weighted(self) -> bool:
        """Whether the weights of updates count."""
        return not isinstance(self.function, Kind) or self.function.weighted or isinstance(self.function, Coefficients)

    def unprotected(self, count: int, byzantine: int) -> str:
        """Why `byzantine` bad updates among `count` could move the aggregate as they like, or an empty string."""
        if self.breakdown is None:
            return "nobody has said how many bad updates it stands"
        told = self.params.get("byzantine")
        if told is not None and told < byzantine:
            return f"it is set up for byzantine: {told}, not {byzantine}"
        return self.breakdown.reason(count, byzantine)

    def stands(self, count: int) -> int:
        """The most bad updates among `count` that the rule can stand, if it is told of as many."""
        breakdown = self.breakdown
        return 0 if breakdown is None else next((bad for bad in range(count, 0, -1) if not breakdown.reason(count, bad)), 0)

    def _enough(self, count: int) -> None:
        """Raises TooFew; a rule that sees the node's own vector counts for itself."""
        told = self.params.get("byzantine")
        if told is not None and self.breakdown is not None and "own" not in self.inputs:
            self.breakdown.require(self.name, count, told)

    def _like(self, found: Any, model: Array, place: int = 0) -> Array:
        """A result in the library and type of the updates; raises ValueError if the aggregate is no vector of their length."""
        vector = like(found, model)
        if place == 0 and vector.shape != model.shape:
            raise ValueError(f"aggregation rule {self.name} gives shape {tuple(vector.shape)}, not ({model.shape[0]},)")
        return vector

    def refusal(self, count: int, model: Array = NUMBER) -> str:
        """Why the rule cannot aggregate `count` updates, or an empty string; found by trying it on that many of `model` (d,).

        Raises ScenarioError where the rule fails for another reason than their number.
        """
        updates = stacked([model] * count)
        losses = like(np.ones(count), updates)
        known = {"own": model, "reference": model, "start": model, "history": None, "losses": losses, "progress": 0.0, "layout": None}
        known["key"] = np.random.Generator(np.random.Philox(0))
        try:
            with np.errstate(all="ignore"):
                self(updates, None, **{name: known[name] for name in self.inputs})
        except TooFew as problem:
            return str(problem)
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            told = f"{self.name} fails on {count} updates: {type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
            raise ScenarioError.at("aggregation", told, "correct the rule") from error
        return ""


@dataclass(frozen=True)
class SumRule(Rule):
    """A rule that is a plain weighted sum of the updates."""

    def __call__(self, updates: Any, weights: Any = None, **inputs: Any) -> Any:
        """As of any rule."""
        matrix = stacked(updates)
        found = super().__call__(matrix, weights, **inputs)
        if not bool(np.isfinite(float(found.sum()))):
            Points(matrix).refuse_non_finite()
        return found

    def coefficients(self, weights: Any) -> np.ndarray:
        """What each of n updates is multiplied by: (n,) float64, from `weights` (n,)."""
        function = cast("Coefficients", self.function).function
        return np.asarray(function(_weights(weights, len(weights)), **self.params), dtype=np.float64)

    def combine(self, rows: Sequence[Array], weights: Sequence[float], **inputs: Any) -> Any:
        """The same over n separate vectors (d,), each read once and none copied; what is not finite in them stays so."""
        if inputs:
            raise ValueError(f"aggregation rule {self.name} has no use for {', '.join(sorted(inputs))}")
        return weighted_sum(rows, self.coefficients(weights).tolist())


@dataclass(frozen=True)
class Composed(Rule):
    """A pre-aggregator and the rule that follows it."""

    @cached_property
    def then(self) -> Rule:
        """The rule that follows."""
        return _described(self.params["then"])

    @property
    def told(self) -> int | None:
        """The most that it or the rule that follows is set up for."""
        known = [number for number in (super().told, self.then.told) if number is not None]
        return max(known, default=None)

    @property
    def weighted(self) -> bool:
        """Whether they count for the rule that follows."""
        return self.then.weighted

    def of(self, points: Points, weights: np.ndarray, inputs: Mapping[str, Any]) -> Any:
        """What the rule makes of the other updates."""
        self._enough(points.count)
        asked = RULES.entry(self.name).inputs
        params = {name: value for name, value in self.params.items() if name != "then"}
        other, moved = self.function(points, weights, **params, **{name: value for name, value in inputs.items() if name in asked})
        passed = {name: value for name, value in inputs.items() if name not in asked or name in self.then.inputs}
        moved_places = {name: other.places[name] for name in passed if self.then.is_vector(name, passed[name])}
        return self.then.of(other, moved, passed | moved_places)

    def is_vector(self, name: str, value: Any) -> bool:
        """As of any rule."""
        return super().is_vector(name, value) or self.then.is_vector(name, value)

    def unprotected(self, count: int, byzantine: int) -> str:
        """As of any rule: what holds for the updates that are left, each bad one spoiling one of them."""
        left = cast("Before", self.function).left(count, self.params)
        return (super().unprotected(count, byzantine) if self.breakdown is not None else "") or self.then.unprotected(left, byzantine)

    def stands(self, count: int) -> int:
        """As of any rule."""
        after = self.then.stands(cast("Before", self.function).left(count, self.params))
        return after if self.breakdown is None else min(after, super().stands(count))


def build(name: str, **params: Any) -> Rule:
    """The rule called `name` with its parameters: a callable `(updates (n, d), weights=None) -> (d,)`; raises ScenarioError.

    A reserved input among `params` is given to the rule in every call.
    """
    return _built(RULES.entry(name), params)


def _described(choice: Mapping[str, Any]) -> Rule:
    return build(choice["name"], **{name: value for name, value in choice.items() if name != "name"})


def _built(entry: Entry[Function], params: Mapping[str, Any]) -> Rule:
    kind = SumRule if isinstance(entry.thing, Coefficients) else Composed if isinstance(entry.thing, Before) else Rule
    inputs, optional = entry.inputs, entry.optional
    if kind is Composed:
        then = _described(entry.check({name: value for name, value in params.items() if name not in RULES.reserved})["then"])
        optional = (inputs | then.inputs) - (inputs - optional) - (then.inputs - then.optional)
        inputs = inputs | then.inputs
    given = {name: value for name, value in params.items() if name in inputs}
    checked = entry.check({name: value for name, value in params.items() if name not in given})
    return kind(entry.name, entry.thing, checked, inputs, optional, given)


def _weights(weights: Any, count: int) -> np.ndarray:
    values = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.shape != (count,):
        raise ValueError(f"{count} updates need {count} weights, got shape {values.shape}")
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ValueError("weights must be finite, not negative and not all zero")
    return values
