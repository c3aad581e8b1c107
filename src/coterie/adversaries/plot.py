"""One entry of a scenario's attacks, ready to be played: who does what, when, and what the attackers know."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf

from coterie.adversaries.conduct import Conduct
from coterie.attacks.attack import DataAttack, UpdateAttack


@dataclass(frozen=True)
class Plot:
    """Attackers of one entry; they collude.

    name: of the attack; thing: the attack. nodes: the members that are attackers. links: pairs of nodes, in both orders, between which an
    outsider stands. first, last: the rounds in which they attack. stealth: the robust z-score up to which they dare to.
    knows: what they see (`own`, `honest`, `received`, `rule`).
    """

    name: str
    thing: UpdateAttack | DataAttack | Conduct
    nodes: tuple[int, ...] = ()
    links: frozenset[tuple[int, int]] = frozenset()
    first: int = 0
    last: float = inf
    stealth: float | None = None
    knows: frozenset[str] = frozenset({"own", "received"})
    members: frozenset[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "members", frozenset(self.nodes))

    def on(self, node: int, round: int) -> bool:
        """Whether `node` plays it in a round."""
        return node in self.members and self.first <= round <= self.last

    def within(self, rounds: int) -> bool:
        """Whether it is ever played in a run of so many rounds."""
        return self.first < rounds

    @property
    def on_updates(self) -> bool:
        """Whether it replaces updates."""
        return isinstance(self.thing, UpdateAttack)


def insiders(plots: Iterable[Plot]) -> frozenset[int]:
    """All members that are attackers at any time."""
    return frozenset().union(*(plot.members for plot in plots))
