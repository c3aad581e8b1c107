"""The forms in which rules are written, each around a plain function; called with points, they give the aggregate.

A sum rule gives coefficients from weights alone. A Gram rule gives shares from the points' distances. A points rule gives the
vector itself. A column rule gives every coordinate from that coordinate of the updates. A pre-aggregator gives other updates,
sums of the ones there are, for another rule to aggregate. In all but the first, vectors such as `own` and `reference` arrive as
their places among the points.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NewType, get_args

import numpy as np
from pydantic import PlainValidator, WithJsonSchema

from coterie.aggregation.arrays import Array, copied
from coterie.aggregation.breakdown import Breakdown
from coterie.aggregation.points import Points

Function = Callable[..., Any]
Place = NewType("Place", int)
"""Where a vector that a rule asked for is among the points."""


def _numbers(value: Any) -> Any:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        raise ValueError("must be a word that is known here, or a list of numbers")
    return np.asarray(value, dtype=np.float64) if isinstance(value, (list, tuple)) else value


Vector = Annotated[Any, PlainValidator(_numbers), WithJsonSchema({"type": "array", "items": {"type": "number"}})]
Start = Literal["zero", "mean"] | Vector
"""Where an iterative rule starts: at zero, at the weighted mean, or at a vector."""


VECTORS = frozenset({"own", "reference", "start"})
"""Inputs that are vectors like the updates: rules that look at points get their places."""


class Kind:
    """A rule's function, and how many bad updates the rule stands."""

    def __init__(self, function: Function, breakdown: Breakdown | None = None) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.breakdown = breakdown
        declared = inspect.signature(function).parameters
        self.weighted = "weights" in declared
        places = (name for name, one in declared.items() if Place in (one.annotation, *get_args(one.annotation)))
        self.vectors = VECTORS.union(places)

    def __call__(self, points: Points, weights: np.ndarray, **params: Any) -> Any:
        """The aggregate (d,) of `points` under `weights` (n,), or (aggregate, state)."""
        raise NotImplementedError


class Coefficients(Kind):
    """`(weights (n,), *, parameters) -> coefficients (n,)`: the rule is their sum over the updates (n, d), or points."""

    def __call__(self, points: Points | Array, weights: Array, **params: Any) -> Array:
        """The aggregate (d,)."""
        shares = self.function(weights, **params)
        return points.joined(np.asarray(shares, dtype=np.float64)) if isinstance(points, Points) else shares @ points


class OfGram(Kind):
    """`(points, weights (n,), *, parameters) -> shares (k,)`, k ≤ m: the rule is the sum of the points times their shares.

    A rule for which a claimed weight must not count leaves `weights` out. It may return (shares, state); a state `True` stands
    for the aggregate itself.
    """

    def __call__(self, points: Points, weights: np.ndarray, **params: Any) -> Any:
        """The aggregate, or (aggregate, state)."""
        shares, state = self.shares(points, weights, **params)
        points.tell(shares)
        vector = points.joined(shares)
        return vector if state is None else (vector, (lambda: copied(vector)) if state is True else state)

    def shares(self, points: Points, weights: np.ndarray, **params: Any) -> tuple[np.ndarray, Any]:
        """(the shares of the points, the state or None), for who sums the vectors otherwise.

        Where `points.gram` is known it looks at no vector, but for the one that equals `own`.
        """
        found = self.function(points, *([weights] if self.weighted else []), **params)
        return found if isinstance(found, tuple) else (found, None)


class OfPoints(Kind):
    """`(points, weights (n,), *, parameters) -> (d,)`, or `-> ((d,), state (s,))`; `weights` may be left out."""

    def __call__(self, points: Points, weights: np.ndarray, **params: Any) -> Any:
        """The aggregate, or (aggregate, state)."""
        return self.function(points, *([weights] if self.weighted else []), **params)


class OfColumns(Kind):
    """`(block (n, b), *, parameters) -> (b,)`: from some coordinates of all updates, a NumPy array, the aggregate's."""

    def __call__(self, points: Points, weights: np.ndarray, **params: Any) -> Array:  # noqa: ARG002 - a claimed weight must not count
        """The aggregate."""
        return points.columns(functools.partial(self.function, **params))


class Before(Kind):
    """`(points, *, parameters) -> shares (k, n + 1)` of k other updates in the updates and the origin, for the rule `then`.

    left: (n, parameters) → k. then: the annotation and the default of the parameter of that name.
    """

    def __init__(
        self, function: Function, breakdown: Breakdown | None, left: Callable[[int, Mapping[str, Any]], int], then: tuple[Any, Any]
    ) -> None:
        super().__init__(function, breakdown)
        self.left = left
        declared = inspect.signature(function)
        parameter = inspect.Parameter("then", inspect.Parameter.KEYWORD_ONLY, default=then[1], annotation=then[0])
        self.__signature__ = declared.replace(parameters=[*declared.parameters.values(), parameter])
        self.__annotations__ = {**function.__annotations__, "then": then[0]}

    def __call__(self, points: Points, weights: np.ndarray, **params: Any) -> tuple[Points, np.ndarray]:
        """The other updates as points, and their weights."""
        shares = np.asarray(self.function(points, **params), dtype=np.float64)
        parts = np.abs(shares[:, : points.count])
        totals = parts.sum(axis=1, keepdims=True)
        parts = np.where(totals > 0, parts, 1) / np.where(totals > 0, totals, points.count)
        return points.mixed(shares), parts @ weights
