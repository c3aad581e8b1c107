"""What an aggregation rule is, how one is registered and how one is built.

Rule 1: a rule is pure: it never changes its inputs, and knows nothing of nodes, rounds or messages.
Rule 2: a rule that is a plain weighted sum is registered by its coefficients (`sum_rule`): its type is then `SumRule`, and
secure aggregation and streaming, which see no single update, accept only those.
"""

import functools
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast, overload

import numpy as np

from coterie.aggregation.arrays import Array, like, stacked, weighted_sum
from coterie.core.errors import ScenarioError
from coterie.core.registry import Registry

Function = Callable[..., Any]
NUMBER = np.zeros(1)


class TooFew(ValueError):
    """There are too few updates for a rule's guarantee (say, n ≤ 2f); an aggregator then keeps its model as it is."""


class Coefficients:
    """A registered function `(weights (n,), *, parameters) -> coefficients (n,)`: the rule is their sum over the updates."""

    def __init__(self, function: Function) -> None:
        functools.update_wrapper(self, function)
        self.function = function

    def __call__(self, updates: Array, weights: Array, **params: Any) -> Array:
        """The weighted sum (d,) of `updates` (n, d)."""
        return self.function(weights, **params) @ updates


RULES: Registry[Function] = Registry(
    "aggregation rule",
    home="coterie.aggregation",
    reserved={"own", "reference", "start", "history", "losses", "progress", "key"},
)
"""Reserved inputs, given to the rules that name them as keyword-only parameters:

own: (d,) the aggregating node's own row; reference: (d,) the update its own data would make; start: (d,) the model that the
updates start from; history: (s,) or None, the state that the rule returned last time; losses: (n,) loss of each row's model on
the node's own training part; progress: float in [0, 1], the share of the run that is done; key: a numpy Generator.
"""


@overload
def rule(function: Function) -> Function: ...
@overload
def rule(*, name: str) -> Callable[[Function], Function]: ...
def rule(function: Function | None = None, *, name: str | None = None) -> Any:
    """Decorator: register `(updates (n, d), weights (n,), *, parameters) -> (d,)`, or `-> ((d,), state (s,))`."""
    put = RULES.register(name)
    return put if function is None else put(function)


@overload
def sum_rule(function: Function) -> Function: ...
@overload
def sum_rule(*, name: str) -> Callable[[Function], Function]: ...
def sum_rule(function: Function | None = None, *, name: str | None = None) -> Any:
    """Decorator: register `(weights (n,), *, parameters) -> coefficients (n,)`: the rule is `coefficients @ updates`."""

    def put(function: Function) -> Function:
        return RULES.register(name)(Coefficients(function))

    return put if function is None else put(function)


@dataclass(frozen=True)
class Rule:
    """A rule with its parameters, ready to be called. `inputs` are the reserved inputs that it asks for."""

    name: str
    function: Function
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()

    def __call__(self, updates: Any, weights: Any = None, **inputs: Any) -> Any:
        """The aggregate (d,) of `updates` (n, d), or (aggregate, state (s,)) where the rule keeps a state.

        NumPy or torch in, the same out. `weights` (n,) default to ones. Raises ValueError for wrong shapes or weights and
        for missing reserved inputs, TooFew where n is too small for the rule.
        """
        matrix = stacked(updates)
        missing, needless = self.inputs - inputs.keys(), inputs.keys() - self.inputs
        if missing or needless:
            problem = f"needs {', '.join(sorted(missing))}" if missing else f"has no use for {', '.join(sorted(needless))}"
            raise ValueError(f"aggregation rule {self.name} {problem}")
        found = self.function(matrix, _weights(weights, matrix), **self.params, **inputs)
        return (
            tuple(self._given(part, matrix, n) for n, part in enumerate(found)) if isinstance(found, tuple) else self._given(found, matrix)
        )

    def _given(self, found: Any, updates: Array, place: int = 0) -> Array:
        """A result in the library and type of `updates`; raises ValueError if the aggregate is no vector of their length."""
        vector = like(found, updates)
        if place == 0 and vector.shape != updates.shape[1:]:
            raise ValueError(f"aggregation rule {self.name} gives shape {tuple(vector.shape)}, not ({updates.shape[1]},)")
        return vector

    def combine(self, rows: Sequence[Array], weights: Sequence[float], **inputs: Any) -> Any:
        """The same over n separate vectors (d,)."""
        return self(stacked(rows), weights, **inputs)

    def refusal(self, count: int, model: Array = NUMBER) -> str:
        """Why the rule cannot aggregate `count` updates, or an empty string; found by trying it on that many of `model` (d,).

        Raises ScenarioError where the rule fails for another reason than their number.
        """
        updates = stacked([model] * count)
        losses = like(np.ones(count), updates)
        known = {"own": model, "reference": model, "start": model, "history": None, "losses": losses, "progress": 0.0}
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

    def coefficients(self, weights: Any) -> np.ndarray:
        """What each of n updates is multiplied by: (n,) float64, from `weights` (n,)."""
        function = cast("Coefficients", self.function).function
        return np.asarray(function(_weights(weights, np.empty((len(weights), 1))), **self.params), dtype=np.float64)

    def combine(self, rows: Sequence[Array], weights: Sequence[float], **inputs: Any) -> Any:
        """The same over n separate vectors (d,), each read once and none copied."""
        if inputs:
            raise ValueError(f"aggregation rule {self.name} has no use for {', '.join(sorted(inputs))}")
        return weighted_sum(rows, self.coefficients(weights).tolist())


def build(name: str, **params: Any) -> Rule:
    """The rule called `name` with its parameters: a callable `(updates (n, d), weights=None) -> (d,)`; raises ScenarioError."""
    entry = RULES.entry(name)
    kind = SumRule if isinstance(entry.thing, Coefficients) else Rule
    return kind(name, entry.thing, entry.check(params), entry.inputs)


def _weights(weights: Any, updates: Array) -> Array:
    count = len(updates)
    values = np.ones(count) if weights is None else np.asarray(weights, dtype=np.float64)
    if values.shape != (count,):
        raise ValueError(f"{count} updates need {count} weights, got shape {values.shape}")
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ValueError("weights must be finite, not negative and not all zero")
    return like(values, updates)
