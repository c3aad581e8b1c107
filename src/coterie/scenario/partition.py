"""How the samples are dealt out to nodes."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from coterie.core.errors import Fault
from coterie.scenario.choice import Choice
from coterie.scenario.faults import unknown
from coterie.scenario.part import Count

AUTO = "auto"


class Partition(Choice):
    """How the samples are dealt out to nodes. `auto`: natural where the data set has natural nodes, else iid.

    minimum: the least number of samples of a node, train and test part together. pooled: deal to so many nodes first, then
    bring everything together at the only node there is: central training on the very samples that the nodes would train on.
    """

    registry: ClassVar[str] = "coterie.tasks.partitions:PARTITIONS"
    default: ClassVar[str | None] = AUTO

    minimum: Count = 2
    pooled: Count | None = None

    @property
    def chosen(self) -> Self | None:
        """The partition that was chosen; None where it is left to the data."""
        return None if self.name == AUTO else self

    @classmethod
    def sorted_out(cls, value: Mapping[str, Any], context: Mapping[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
        """As of any choice, but for `auto`, which is not in the registry and has no parameters."""
        if value.get("name", AUTO) != AUTO:
            return super().sorted_out(value, context)
        beside = {key: value[key] for key in ("minimum", "pooled") if key in value}
        return {"name": AUTO, **beside}, unknown(value, ["name", "minimum", "pooled"], AUTO)

    @classmethod
    def short_schema(cls) -> list[dict[str, Any]]:
        """What is left to the data."""
        count = {"type": "integer", "minimum": 1}
        settings = {"name": {"const": AUTO}, "minimum": count, "pooled": {"anyOf": [count, {"type": "null"}]}}
        return [{"const": AUTO}, {"title": AUTO, "type": "object", "properties": settings, "additionalProperties": False}]
