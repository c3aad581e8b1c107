"""One of the things in a registry, by name, with its parameters beside the name: `{name: dirichlet, alpha: 0.3}`."""

import importlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from pydantic import Field, GetJsonSchemaHandler, ValidationError, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, to_jsonable_python

from coterie.core.errors import Fault, ScenarioError
from coterie.core.registry import Entry, Registry
from coterie.scenario.faults import faults_of, unknown, written
from coterie.scenario.part import Part
from coterie.scenario.schema import of_choice

LOCAL = frozenset({"path", "source", "test", "mirror"})
"""Parameters that reach for files or addresses, whatever thing they are of."""


class Choice(Part):
    """A registered thing: `name`, and `params` completed by its defaults and checked.

    registry: where the things are, `module:NAME`, looked up when it is needed. default: the name where only parameters are
    written. own_code: whether `module:attribute` may stand for a name; its parameters are then passed on unchecked.
    """

    registry: ClassVar[str]
    default: ClassVar[str | None] = None
    own_code: ClassVar[bool] = False

    name: str
    params: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def things(cls) -> Registry[Any]:
        """The registry."""
        module, _, name = cls.registry.partition(":")
        return cast("Registry[Any]", getattr(importlib.import_module(module), name))

    @property
    def own(self) -> bool:
        """Whether it is the user's own code and not a registered thing."""
        return ":" in self.name

    @property
    def entry(self) -> Entry[Any]:
        """The registered thing."""
        return self.things().entry(self.name)

    @classmethod
    def expanded(cls, value: Any) -> Any:
        """A bare string is a name alone."""
        return {"name": value} if isinstance(value, str) else value

    @classmethod
    def _no_mapping(cls, value: Any) -> Fault:
        things = cls.things()
        problem = f"must be the name of a {things.kind}, or a mapping with it (got {written(value)})"
        return Fault("", problem, f"write one of {', '.join(things.names())}")

    @classmethod
    def sorted_out(cls, value: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """The name, the checked parameters, and the settings that the kind adds beside them."""
        beside = [key for key in cls.model_fields if key not in ("name", "params")]
        settings = {key: value[key] for key in beside if key in value}
        given = {key: value[key] for key in value if key not in beside and key != "name"}
        settings["name"] = name = value.get("name", cls.default)
        trusted = context.get("trusted", True)
        if not isinstance(name, str):
            problem = f"must be the name of a {cls.things().kind} (got {written(name)})" if "name" in value else "is missing"
            return settings | {"name": ""}, [Fault("name", problem, f"write one of {', '.join(cls.things().names())}")]
        if ":" in name and cls.own_code:
            settings["params"] = to_jsonable_python(given, fallback=str)
            return settings, [] if trusted else [_local("", f"{name!r} is code of somebody's own")]
        try:
            entry = cls.things().entry(name)
        except ScenarioError as error:
            faults = [Fault("name" if len(value) > 1 else "", fault.problem, fault.fix) for fault in error.faults]
            return settings, faults
        settings["params"], faults = _checked(entry, given, beside)
        return settings, faults if trusted else faults + _reaching(entry, given)

    @model_serializer
    def _written(self) -> Any:
        beside = {key: getattr(self, key) for key in type(self).model_fields if key not in ("name", "params")}
        plain = to_jsonable_python({**self.params, **beside})
        return {"name": self.name, **plain} if plain else self.name

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        own = handler.resolve_ref_schema(schema)
        body = dict(own)
        own.clear()
        own.update(of_choice(cls, body))
        return schema


def _checked(entry: Entry[Any], given: Mapping[str, Any], beside: list[str]) -> tuple[dict[str, Any], list[Fault]]:
    """The parameters completed and checked, as strictly as JSON is: true is no number, and "3" is none either."""
    model = entry.parameters
    faults = unknown(given, [*model.model_fields, *beside], entry.name)
    known = {key: given[key] for key in given if key in model.model_fields}
    try:
        text = json.dumps(known)
        checked = model.model_validate_json(text, strict=True)
    except ValidationError as error:
        return {}, faults + faults_of(error, known)
    except (TypeError, ValueError) as error:
        return {}, [*faults, Fault("", f"cannot be written in a scenario: {error}", "use numbers, text, lists and mappings")]
    return {key: getattr(checked, key) for key in model.model_fields}, faults


def _reaching(entry: Entry[Any], given: Mapping[str, Any]) -> list[Fault]:
    """Parameters that could reach for files, code or addresses of the machine where a scenario of somebody else's is run."""
    opens = "folder" in entry.inputs
    return [_local(key, "may only be set in a file of your own") for key in given if key in LOCAL or (opens and _textual(given[key]))]


def _textual(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, str) or (isinstance(value, (list, tuple)) and any(map(_textual, value)))


def _local(place: str, problem: str) -> Fault:
    return Fault(place, f"{problem}; this scenario came from elsewhere", "name a registered thing, or run it from a file of your own")
