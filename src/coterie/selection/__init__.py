"""Who of those eligible trains in a round: selections by name, each in its own file.

A selection is a function `(round, eligible, draw, *, parameters) -> selected`: eligible (k,) and selected are ascending node
ids, draw is the public generator of that round.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from coterie.core.registry import Registry

Ids = NDArray[np.int64]
Function = Callable[..., Ids]

SELECTIONS: Registry[Function] = Registry("selection", home="coterie.selection")


@overload
def selection(function: Function) -> Function: ...
@overload
def selection(function: str) -> Callable[[Function], Function]: ...
def selection(function: Function | str) -> Any:
    """Decorator: register `(round, eligible, draw, *, parameters) -> selected` under its own name, or under the one given."""
    return SELECTIONS.register(function) if isinstance(function, str) else SELECTIONS.register()(function)


@dataclass(frozen=True)
class Selection:
    """A selection with its parameters, ready to be called each round."""

    name: str
    function: Function
    params: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, round: int, eligible: Ids, draw: np.random.Generator) -> Ids:
        """Those of the ascending ids `eligible` (k,) who train in `round`, ascending."""
        return self.function(round, eligible, draw, **self.params)


def build(name: str, **params: Any) -> Selection:
    """The selection called `name` with its parameters; raises ScenarioError, placed under `participation`."""
    entry = SELECTIONS.entry(name, "participation")
    return Selection(name, entry.thing, entry.check(params, "participation"))
