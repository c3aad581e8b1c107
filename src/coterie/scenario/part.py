"""What all parts of a scenario have in common: frozen, strict, all faults at once, and a short form where there is one."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, Strict, ValidationError, ValidationInfo, ValidatorFunctionWrapHandler
from pydantic import model_validator as validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from coterie.core import bounds
from coterie.core.errors import Fault, ScenarioError
from coterie.scenario.faults import faults_of, unknown, written

Count = Annotated[bounds.Count, Strict()]
Natural = Annotated[bounds.Natural, Strict()]
Positive = Annotated[bounds.Positive, Strict()]
NonNegative = Annotated[bounds.NonNegative, Strict()]
Fraction = Annotated[bounds.Fraction, Strict()]
Finite = Annotated[bounds.Finite, Strict()]
Flag = Annotated[bool, Strict()]

JSON_TYPES = {int: "integer", float: "number", str: "string", list: "array"}


class Short(NamedTuple):
    """A short form: a bare value of one of `kinds` stands for the setting `field` alone."""

    field: str
    kinds: tuple[type, ...]


class Part(BaseModel):
    """A part of a scenario; raises ScenarioError with every fault in it, placed relative to the part."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)

    short: ClassVar[Short | None] = None

    @classmethod
    def expanded(cls, value: Any) -> Any:
        """The mapping that a short form stands for; anything else as it is."""
        if cls.short and isinstance(value, cls.short.kinds) and not isinstance(value, bool):
            return {cls.short.field: value}
        return value

    @classmethod
    def short_schema(cls) -> list[dict[str, Any]]:
        """The JSON schemas of the short forms."""
        return [{"type": JSON_TYPES[kind]} for kind in cls.short.kinds] if cls.short else []

    @validator(mode="wrap")
    @classmethod
    def _whole(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        value = cls.expanded(value)
        if not isinstance(value, Mapping):
            raise ScenarioError(cls._no_mapping(value))
        settings, faults = cls.sorted_out(value, info.context or {})
        try:
            made: Self = handler(settings)
            faults += made.contradictions()
        except ValidationError as error:
            raise ScenarioError(*faults, *faults_of(error, settings)) from None
        if faults:
            raise ScenarioError(*faults)
        return made

    @classmethod
    def sorted_out(cls, value: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:  # noqa: ARG003
        """The known settings in `value`, and a fault for each unknown one. context: `trusted`, as in `Scenario.of`."""
        return {key: value[key] for key in value if key in cls.model_fields}, unknown(value, cls.model_fields)

    @classmethod
    def _no_mapping(cls, value: Any) -> Fault:
        """The fault of a value that is neither a mapping nor the short form; `10 rounds` where 10 would do."""
        number = re.match(r"\s*(\d+(?:\.\d+)?)\s*[^\d\s.]", value) if isinstance(value, str) else None
        numeric = cls.short is not None and not {int, float}.isdisjoint(cls.short.kinds)
        fix = f"write {number[1]}" if number and numeric else f"its settings are {', '.join(cls.model_fields)}"
        return Fault("", f"must be {'a number or ' if numeric else ''}a mapping (got {written(value)})", fix)

    def contradictions(self) -> list[Fault]:
        """What is wrong between settings that are right each by itself; places are relative to the part."""
        return []

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        shorts = cls.short_schema()
        if shorts:
            own = handler.resolve_ref_schema(schema)
            body = dict(own)
            own.clear()
            own.update({"anyOf": [*shorts, body]})
        return schema


def plain(value: Any) -> Any:
    """The same with plain data in place of numbers and arrays of NumPy, and of paths."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return value.tolist()
    return str(value) if hasattr(value, "__fspath__") else value
