"""What an attack is, how one is registered and how one is built.

Rule 1: an attack is pure: it never changes what it is given, and knows nothing of nodes, rounds or messages.
Rule 2: an attack says what the attackers must see for it (`sees`); whoever plays it grants no less.
"""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from coterie.aggregation.arrays import Array, host, like, stacked
from coterie.core.errors import ScenarioError
from coterie.core.registry import Registry

Function = Callable[..., Any]
Sight = Literal["own", "honest", "received", "rule"]
"""What attackers may see: their own honest updates; those of all honest nodes; what they got from others (the last aggregate, the
model of the node they attack); the aggregation rule that will be used."""

ATTACKS: Registry[Function] = Registry(
    "attack",
    home="coterie.attacks",
    reserved={"own", "received", "rule", "weights", "weight", "history", "key"},
)
"""Reserved inputs, given to the attacks that name them as keyword-only parameters:

own: (count, d) the attackers' own honest updates; received: (d,) the last aggregate, or the model of the node that is attacked;
rule: the aggregation rule, a callable `(updates (n, d)) -> (d,)`; weights: (h,) what each honest vector weighs where the attacked
node mixes, and weight: what all attackers weigh there; history: the state that the attack returned last time; key: a numpy Generator.

One whose default is None may be left out.
"""


class Update:
    """A registered function `(honest (h, d), count, *, parameters) -> (d,) or (count, d)`, in NumPy; it may also return a state.

    of_models: whether, in a graph, it is given models as they are, and not what they differ by from the attacker's last.
    """

    function: Function

    def __init__(self, function: Function, sees: Collection[Sight], *, of_models: bool = False) -> None:
        _wrap(self, function)
        self.sees, self.of_models = frozenset(sees), of_models

    def __call__(self, honest: np.ndarray, count: int, **params: Any) -> Any:
        """What the attackers send."""
        return self.function(honest, count, **params)


class Data:
    """A registered function `(features (n, …), labels (n,), key, *, parameters) -> (features, labels)`, in NumPy."""

    function: Function

    def __init__(self, function: Function, trigger: Function | None) -> None:
        _wrap(self, function)
        self.trigger = trigger

    def __call__(self, features: np.ndarray, labels: np.ndarray, key: np.random.Generator, **params: Any) -> Any:
        """The poisoned samples."""
        return self.function(features, labels, key, **params)


def _wrap(thing: Any, function: Function) -> None:
    """What a registry looks for on a function: its name, its documentation, its signature."""
    thing.function = thing.__wrapped__ = function
    thing.__signature__ = inspect.signature(function)
    for name in ("__module__", "__name__", "__qualname__", "__doc__", "__annotations__"):
        setattr(thing, name, getattr(function, name))


def update_attack(sees: Collection[Sight] = (), name: str | None = None, *, of_models: bool = False) -> Callable[[Function], Function]:
    """Decorator: register an update attack with what its attackers must see; see `Update`."""
    return lambda function: ATTACKS.register(name)(Update(function, sees, of_models=of_models))


def data_attack(trigger: Function | None = None, name: str | None = None) -> Callable[[Function], Function]:
    """Decorator: register a data attack; trigger: `(features, *, parameters) -> features`, what its success is measured on."""
    return lambda function: ATTACKS.register(name)(Data(function, trigger))


@dataclass(frozen=True)
class UpdateAttack:
    """An update attack with its parameters. inputs: the reserved inputs it asks for; optional: those that may be left out."""

    name: str
    function: Update
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    given: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sees(self) -> frozenset[Sight]:
        """What its attackers must see."""
        return self.function.sees

    def __call__(self, honest: Any, count: int, **inputs: Any) -> Any:
        """What `count` attackers send (count, d), knowing `honest` (h, d); NumPy or torch in, the same out.

        Where the attackers know only their own updates, those stand for `honest`. Where the attack has a state and `history` was
        passed: (vectors, state). Raises ValueError for wrong shapes and missing inputs.
        """
        matrix = stacked(honest)
        if count < 0:
            raise ValueError(f"{count} attackers cannot send anything")
        known = {**self.given, **inputs}
        missing, needless = self.inputs - self.optional - known.keys(), known.keys() - self.inputs
        if missing or needless:
            problem = f"needs {', '.join(sorted(missing))}" if missing else f"has no use for {', '.join(sorted(needless))}"
            raise ValueError(f"attack {self.name} {problem}")
        if count == 0:
            return matrix[:0]
        rows = np.asarray(host(matrix if isinstance(matrix, np.ndarray) else matrix.detach().cpu()))
        plain = {name: value if name in {"rule", "key"} else _plain(value) for name, value in known.items()}
        with np.errstate(over="ignore"):
            found = self.function(rows, count, **self.params, **plain)
        state = None
        if isinstance(found, tuple):
            found, state = found
        sent = np.broadcast_to(np.asarray(found), (count, matrix.shape[1]))
        vectors = like(sent.astype(rows.dtype), matrix)
        return (vectors, state) if state is not None and "history" in known else vectors


@dataclass(frozen=True)
class DataAttack:
    """A data attack with its parameters."""

    name: str
    function: Data
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sees(self) -> frozenset[Sight]:
        """What its attackers must see: their own data, which everybody does."""
        return frozenset()

    def __call__(self, features: Any, labels: Any, key: np.random.Generator) -> tuple[Any, Any]:
        """(features (n, …), labels (n,)) as the attackers train on them; `key` decides which samples. The given stay as they are."""
        values, targets = np.asarray(features), np.asarray(labels)
        if targets.ndim != 1 or len(values) != len(targets):
            raise ValueError(f"there are {len(values)} samples and labels of the shape {targets.shape}")
        found: tuple[np.ndarray, np.ndarray] = self.function(values.copy(), targets.copy(), key, **self.params)
        return found

    @property
    def has_trigger(self) -> bool:
        """Whether the attack puts something into samples that makes a model go wrong on them."""
        return self.function.trigger is not None

    def triggered(self, features: Any) -> np.ndarray:
        """Any samples (n, …) with all of the trigger: a model that fell for the attack takes them for its target."""
        if self.function.trigger is None:
            raise ValueError(f"attack {self.name} has no trigger")
        wanted = inspect.signature(self.function.trigger).parameters
        params = {name: value for name, value in self.params.items() if name in wanted}
        found: np.ndarray = self.function.trigger(np.array(features), **params)
        return found


def build(name: str, **params: Any) -> Any:
    """The attack called `name`: an `UpdateAttack`, `(honest (h, d), count) -> (count, d)`, or a `DataAttack`; raises ScenarioError.

    A reserved input among `params` is given to an update attack in every call.
    """
    entry = ATTACKS.entry(name)
    given = {key: value for key, value in params.items() if key in entry.inputs}
    checked = entry.check({key: value for key, value in params.items() if key not in given})
    if isinstance(entry.thing, Data):
        return DataAttack(name, entry.thing, checked)
    if not isinstance(entry.thing, Update):
        raise ScenarioError.at("", f"{name} is no attack", "register it with update_attack or data_attack")
    return UpdateAttack(name, entry.thing, checked, entry.inputs, entry.optional, given)


def _plain(value: Array) -> Any:
    """An input as NumPy's, whatever library it comes from."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def generator(key: np.random.Generator | None) -> np.random.Generator:
    """The given generator, or one that always draws the same."""
    return np.random.Generator(np.random.Philox(0)) if key is None else key
