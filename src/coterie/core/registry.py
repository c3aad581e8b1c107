"""Registries: how a name in a scenario becomes a thing.

Each pluggable kind has one registry. A thing is registered by a decorator on a function (or a dataclass) of its own file;
its keyword-only parameters (or fields), their annotations and defaults are its parameter schema, so that the scenario
check, the command line, the JSON schema and the reference page all say the same. Files of a kind live in one package
(`home`) and are imported at the first look-up: adding a thing touches its own file and its test.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, is_dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from coterie.core.errors import Fault, ScenarioError, nearest

MOST_FAULTS = 200
"""So many are told of one thing: a text from elsewhere may have any number."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Entry(Generic[F]):
    """One registered thing."""

    name: str
    thing: F
    reserved: frozenset[str]

    @cached_property
    def doc(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.thing) or "").partition("\n")[0]

    @cached_property
    def _declared(self) -> dict[str, inspect.Parameter]:
        wanted = (
            (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
            if is_dataclass(self.thing)
            else (inspect.Parameter.KEYWORD_ONLY,)
        )
        return {p.name: p for p in inspect.signature(self.thing).parameters.values() if p.kind in wanted}

    @cached_property
    def inputs(self) -> frozenset[str]:
        """Which of the kind's reserved inputs (for an aggregation rule: `own`, `start`, …) it asks for.

        One that has a default of its own, other than None, is a parameter like any other.
        """
        empty = (inspect.Parameter.empty, None)
        return frozenset(name for name in self.reserved & self._declared.keys() if self._declared[name].default in empty)

    @cached_property
    def optional(self) -> frozenset[str]:
        """Those of them that have a default."""
        return frozenset(name for name in self.inputs if self._declared[name].default is not inspect.Parameter.empty)

    @cached_property
    def parameters(self) -> type[BaseModel]:
        """The schema of its parameters, as a strict pydantic model that refuses unknown keys."""
        try:
            hints = get_type_hints(self.thing, include_extras=True)
        except Exception as error:
            problem = f"the annotations of {self.name} cannot be read: {error}"
            raise ScenarioError.at("", problem, "name types that its module knows") from error
        fields: dict[str, Any] = {
            name: (hints.get(name, Any), ... if p.default is inspect.Parameter.empty else p.default)
            for name, p in self._declared.items()
            if name not in self.inputs
        }
        config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, protected_namespaces=())
        return cast("type[BaseModel]", create_model(f"{self.name}_parameters", __config__=config, **fields))

    def check(self, params: Mapping[str, Any], place: str = "") -> dict[str, Any]:
        """`params` completed by the defaults; raises ScenarioError listing every fault, each at its place."""
        try:
            checked = self.parameters.model_validate(dict(params))
        except ValidationError as error:
            raise ScenarioError(*faults_of(error, place, self.parameters)) from None
        return {name: getattr(checked, name) for name in type(checked).model_fields}


class Registry(Generic[F]):
    """The things of one kind, by name."""

    def __init__(self, kind: str, home: str | None = None, reserved: Iterable[str] = ()) -> None:
        self.kind = kind
        self._home = home
        self.reserved = frozenset(reserved)
        self._entries: dict[str, Entry[F]] = {}
        self._loaded = home is None

    def register(self, name: str | None = None) -> Callable[[F], F]:
        """Decorator: put a function or dataclass under `name` (default: its own)."""

        def put(thing: F) -> F:
            key = name or str(getattr(thing, "__name__", ""))
            old = self._entries.get(key)
            if old is not None and _origin(old.thing) != _origin(thing):
                places = " and ".join(_origin(one)[0] for one in (old.thing, thing))
                raise ScenarioError.at("", f"two {self.kind}s are called {key!r}: in {places}", "rename one")
            self._entries[key] = Entry(key, thing, self.reserved)
            return thing

        return put

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._entries)

    def entry(self, name: str, place: str = "") -> Entry[F]:
        """The thing called `name`; raises ScenarioError with the nearest known name."""
        self._load()
        found = self._entries.get(name)
        if found is None:
            raise ScenarioError.at(place, f"there is no {self.kind} called {name!r}", nearest(name, self._entries))
        return found

    def _load(self) -> None:
        if self._loaded or self._home is None:
            return
        self._loaded = True
        package = importlib.import_module(self._home)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self._home}.{module.name}")


def _origin(thing: Any) -> tuple[str, str]:
    """The file and the name that a thing comes from: the same when a file is imported again, or under another name."""
    name = str(getattr(thing, "__module__", "?"))
    file = getattr(sys.modules.get(name), "__file__", None)
    return (file or name, getattr(thing, "__qualname__", repr(thing)))


def faults_of(error: ValidationError, place: str, model: type[BaseModel] | None = None) -> list[Fault]:
    """The findings of pydantic as faults, up to MOST_FAULTS; unknown keys get the nearest known one where `model` is given."""
    faults = []
    for found in error.errors(include_url=False)[:MOST_FAULTS]:
        path = ".".join([place, *map(str, found["loc"])] if place else map(str, found["loc"]))
        if found["type"] == "extra_forbidden":
            known = model.model_fields if model is not None else ()
            faults.append(Fault(path, "there is no such setting", nearest(str(found["loc"][-1]), known)))
        elif found["type"] == "missing":
            faults.append(Fault(path, "is missing", "write it; it has no default"))
        else:
            message = found["msg"].removeprefix("Value error, ")
            faults.append(Fault(path, f"{message} (got {_short(found.get('input'))})"))
    if error.error_count() > MOST_FAULTS:
        faults.append(Fault(place, f"there are {error.error_count() - MOST_FAULTS} more faults", "correct the others first"))
    return faults


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
