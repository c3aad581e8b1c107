"""What a participant carries from one round to the next: frozen, and all that a restart needs."""

from dataclasses import dataclass, field

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle


@dataclass(frozen=True, slots=True)
class View:
    """The numbered membership that plans are made from; it changes only between rounds.

    term: grows by one with each change; a message of an older term is refused.
    absent: members that are held to be gone, in order.
    """

    term: int = 0
    absent: tuple[NodeId, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundState:
    """One node at the head of a round.

    round: the round that comes next.
    model: the newest published vector it has (the model, then the algorithm's broadcast sections).
    held: whether that is the model of `round`; if not, it has to be adopted first.
    mixing: whether only the second half of the round, the exchange between aggregators, is left.
    client, server, rule: the states of the algorithm on a trainer and on an aggregator, and of the aggregation rule.
    """

    round: int
    model: Handle
    held: bool
    mixing: bool = False
    client: Handle | None = None
    server: Handle | None = None
    rule: Handle | None = None
    view: View = field(default=View())
