"""What a participant carries from one round to the next: frozen, and all that a restart needs."""

from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle

__all__ = ["Learner", "RoundState", "View", "replace"]


class View(NamedTuple):
    """The numbered membership that plans are made from; it changes only between rounds.

    term: grows with each change; a message of an older term is refused.
    absent: members that are held to be gone, in order.
    round, holder: the round that the view begins with, and who then holds its model and aggregates; -1 in the first view.
    base: the term in which that model was published before.
    """

    term: int = 0
    absent: tuple[NodeId, ...] = ()
    round: int = -1
    holder: NodeId = NodeId(-1)
    base: int = 0


class RoundState(msgspec.Struct, frozen=True, gc=False):
    """One node at the head of a round; `replace(state, …)` makes the next one.

    round: the round that comes next.
    model: the newest published vector it has (the model, then the algorithm's broadcast sections).
    held: whether that is the model of `round`; if not, it has to be adopted first.
    mixing: whether only the second half of the round, the exchange between aggregators, is left.
    client, server, rule: the states of the algorithm on a trainer and on an aggregator, and of the aggregation rule.
    unheard: where there are no common rounds, how many rounds ago it last heard of a neighbour.
    asked: where there are no common rounds, whom it has given a model and from whom it has had nothing in return yet: (node, the model's
        round, the model where it is needed again).
    has: which model that is: the term in which it was published, and its round. One aggregator acts in a round of a term, so there is one
        model of that name.
    claimed: the last term in which it has asked for voices.
    update, again: what it made in the round before, where aggregators may fail; whether that is to be sent once more, to another one.
    """

    round: int
    model: Handle
    held: bool
    mixing: bool = False
    client: Handle | None = None
    server: Handle | None = None
    rule: Handle | None = None
    view: View = View()
    unheard: int = 0
    asked: tuple[tuple[NodeId, int, Handle | None], ...] = ()
    update: Handle | None = None
    again: bool = False
    has: tuple[int, int] = (0, 0)
    claimed: int = 0


class Learner(msgspec.Struct, frozen=True, gc=False):
    """What training that runs beside an aggregator's rounds carries on: the algorithm's state on a trainer."""

    client: Handle | None = None
    view: View = View()
