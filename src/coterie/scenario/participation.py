"""Who of the trainers takes part in a round."""

from typing import Any, ClassVar

from coterie.core.errors import ScenarioError
from coterie.scenario.choice import Choice


class Participation(Choice):
    """Who of the trainers takes part in a round: `all`, a number of them (10), or a fraction (0.1)."""

    registry: ClassVar[str] = "coterie.selection:SELECTIONS"
    default: ClassVar[str | None] = "all"

    @classmethod
    def expanded(cls, value: Any) -> Any:
        """A bare number below 1 is a fraction, a whole number above 1 how many."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return super().expanded(value)
        if value == 1:
            raise ScenarioError.at("", f"{value} may mean one node or all of them", "write {name: number, count: 1}, or all")
        return {"name": "fraction", "share": value} if value < 1 else {"name": "number", "count": value}

    @classmethod
    def short_schema(cls) -> list[dict[str, Any]]:
        """A fraction, or how many."""
        return [{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}, {"type": "integer", "minimum": 2}]
