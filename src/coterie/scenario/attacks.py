"""Attacks as a user writes them: what, who, when, and what the attackers know.

attacks:
  - {name: label_flip, who: {share: 0.2}}
  - {name: alie, who: [3, 8-11], knowledge: honest, when: {from: 5, to: 20}}
  - {name: interference, action: drop, who: {links: [[0, 3]]}}
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Len
from pydantic import Field, Strict, WithJsonSchema, model_serializer
from pydantic import field_validator as validator

from coterie.core.errors import Fault, ScenarioError
from coterie.scenario.choice import Choice
from coterie.scenario.faults import unknown
from coterie.scenario.part import Count, Fraction, Natural, Part, Positive, Short
from coterie.scenario.roles import span

Id = Annotated[int, Strict(), Ge(0)]
Knowledge = Literal["nothing", "own", "honest", "rule"]
GRANTS: dict[str, frozenset[str]] = {
    "nothing": frozenset(),
    "own": frozenset({"own", "received"}),
    "honest": frozenset({"own", "received", "honest"}),
    "rule": frozenset({"own", "received", "rule"}),
}
"""What attackers see by what they know: `received` is what everybody is sent."""
KNOWLEDGE = {"anyOf": [{"enum": list(GRANTS)}, {"type": "array", "items": {"enum": list(GRANTS)}}]}


class When(Part):
    """In which rounds, counted from 0 as in `coterie plan`: always, `once`, `from` one `to` another.

    stealthy: only where the update would pass: where its length, distance and cosine to the median of the updates that the attackers know
    have robust z-scores up to that; else they send their own. It may stand beside rounds.
    """

    once: Natural | None = None
    first: Natural | None = Field(None, alias="from")
    last: Natural | None = Field(None, alias="to")
    stealthy: Positive | None = None

    @classmethod
    def expanded(cls, value: Any) -> Any:
        """`continuous` is always; `stealthy` means up to a z-score of 3.5."""
        return {"continuous": {}, "stealthy": {"stealthy": 3.5}}.get(value, value) if isinstance(value, str) else value

    @classmethod
    def short_schema(cls) -> list[dict[str, Any]]:
        """The words."""
        return [{"enum": ["continuous", "stealthy"]}]

    @classmethod
    def sorted_out(cls, value: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:  # noqa: ARG003
        """The settings by the names that they are written by."""
        known = ("once", "from", "to", "stealthy")
        return {key: value[key] for key in value if key in known}, unknown(value, known)

    def contradictions(self) -> list[Fault]:
        """One round and several; an end before its beginning."""
        if self.once is not None and (self.first is not None or self.last is not None):
            return [Fault("once", "says one round, and from and to say several", "leave out once, or the others")]
        if self.last is not None and self.last < (self.first or 0):
            return [Fault("to", f"round {self.last} is before round {self.first}", "write a later round")]
        return []

    @model_serializer
    def _written(self) -> Any:
        named = {"once": self.once, "from": self.first, "to": self.last, "stealthy": self.stealthy}
        return {name: value for name, value in named.items() if value is not None} or "continuous"


class Who(Part):
    """Who attacks: these `nodes` (ids, ranges, names); or a `number` or a `share` of those that train, drawn by the seed.

    position: drawn among those with the most (central) or fewest (peripheral) neighbours first. links: of an outsider, the pairs of
    nodes that it stands between; a number or a share is then of all links.
    """

    short: ClassVar[Short | None] = Short("nodes", (list, tuple))

    nodes: Annotated[tuple[int | str, ...], Len(1)] | None = None
    number: Count | None = None
    share: Fraction | None = None
    position: Literal["anywhere", "central", "peripheral"] = "anywhere"
    links: tuple[tuple[Id, Id], ...] | None = None

    @classmethod
    def expanded(cls, value: Any) -> Any:
        """A number alone is a share; a whole one could be an id."""
        if isinstance(value, int) and not isinstance(value, bool):
            raise ScenarioError.at("", f"{value} may be a node or a number", f"write [{value}], or {{number: {value}}}")
        return {"share": value} if isinstance(value, float) else super().expanded(value)

    @classmethod
    def short_schema(cls) -> list[dict[str, Any]]:
        """Nodes, or a share."""
        node = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}]}
        return [{"type": "array", "items": node}, {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}]

    @validator("nodes", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        for item in value if isinstance(value, (list, tuple)) else ():
            if isinstance(item, bool) or not isinstance(item, (int, str)) or (isinstance(item, int) and span(item) is None):
                raise ScenarioError.at("", f"{item!r} is no node", "write ids, ranges or names: [0, 4-9]")
        return value

    def contradictions(self) -> list[Fault]:
        """Several answers to one question."""
        given = [name for name in ("nodes", "number", "share", "links") if getattr(self, name) is not None]
        faults = [Fault(name, f"there is {given[0]} too", f"leave out {given[0]} or {name}") for name in given[1:]]
        if self.position != "anywhere" and {"nodes", "links"} & set(given):
            faults.append(Fault("position", f"{given[0]} say who it is already", "leave it out"))
        return faults

    @model_serializer
    def _written(self) -> Any:
        found = {name: getattr(self, name) for name in ("nodes", "number", "share", "links") if getattr(self, name) is not None}
        if self.position != "anywhere":
            found["position"] = self.position
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


class Attack(Choice):
    """One entry of attacks. Its attackers collude.

    who: by default a fifth of those that train. when: by default always. knowledge: what the attackers see: nothing, their own updates,
    all honest ones (of the round and the neighbourhood), the aggregation rule; or several of these.
    """

    registry: ClassVar[str] = "coterie.adversaries.conduct:EVERY"

    who: Who = Field({"share": 0.2}, validate_default=True)
    when: When = Field("continuous", validate_default=True)
    knowledge: Annotated[tuple[Knowledge, ...], WithJsonSchema(KNOWLEDGE)] = ("own",)

    @validator("knowledge", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @property
    def sees(self) -> frozenset[str]:
        """What its attackers see."""
        return frozenset().union(*(GRANTS[name] for name in self.knowledge))
