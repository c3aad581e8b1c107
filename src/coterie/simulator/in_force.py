"""The faults that are there at a moment, and whom they hit."""

from collections import Counter
from math import inf
from typing import Any, TypeVar

from coterie.core.ids import NodeId
from coterie.environments.faults import FaultKind
from coterie.simulator.injections import Injections, Occasion
from coterie.simulator.streams import NAMES

K = TypeVar("K", bound=FaultKind)


class InForce:
    """Which occasions of the `injections` have begun and are not over. until: when each of them is."""

    def __init__(self, injections: Injections) -> None:
        self.injections = injections
        self.until: dict[Occasion, float] = {}
        self._hit: Counter[tuple[str, int]] = Counter()

    def kind(self, which: Occasion) -> FaultKind:
        """What it does."""
        return self.injections.wanted[which.number].kind

    def name(self, which: Occasion) -> str:
        """What it is called in a scenario."""
        return NAMES[type(self.kind(which))]

    def begin(self, which: Occasion, closes: float) -> None:
        """It is there until `closes`."""
        self.until[which] = closes
        self._count(which, 1)

    def end(self, which: Occasion) -> None:
        """It is over."""
        del self.until[which]
        self._count(which, -1)

    def _count(self, which: Occasion, by: int) -> None:
        if self.kind(which).hits == "nodes":
            for node in self.injections.nodes_hit(which):
                self._hit[self.name(which), node] += by

    def hits(self, name: str, node: int) -> bool:
        """Whether a fault of that name hits `node`."""
        return self._hit[name, node] > 0

    def on(self, node: int, kind: type[K]) -> list[K]:
        """The faults of one kind that hit `node`."""
        return [found for which in self._on(node) if isinstance(found := self.kind(which), kind)]

    def longest(self, node: int) -> float:
        """When the last of the faults that hit `node` is over."""
        return max(self.until[which] for which in self.until if node in self.injections.nodes_hit(which))

    def for_good(self, node: int, kind: type[FaultKind]) -> bool:
        """Whether a fault of that kind hits `node` and never ends."""
        return any(self.until[which] == inf and isinstance(self.kind(which), kind) for which in self._on(node))

    def _on(self, node: int) -> list[Occasion]:
        return [which for which in self.until if self.kind(which).hits == "nodes" and node in self.injections.nodes_hit(which)]

    @property
    def meets_messages(self) -> bool:
        """Whether any of them may meet a message by itself."""
        return any(self.kind(which).hits == "messages" for which in self.until)

    def blocks(self, sender: int, receiver: int) -> bool:
        """Whether nothing that `sender` sends comes to `receiver`: one of them is down, or the link is cut."""
        return (
            self.hits("crash", sender)
            or self.hits("crash", receiver)
            or any(self.injections.blocks(which, sender, receiver) for which in self.until)
        )

    def named(self, which: Occasion) -> tuple[str, tuple[NodeId, ...]]:
        """Its name, and the nodes it hits."""
        return self.name(which), self.injections.nodes_hit(which)

    def saved(self) -> Any:
        """What makes it again."""
        return [[*which, closes] for which, closes in self.until.items()]

    def restored(self, saved: Any) -> None:
        """Become what `saved` said."""
        for *which, closes in saved:
            self.begin(Occasion(*which), closes)
