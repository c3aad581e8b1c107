"""Nodes whose only part in the end is to take the last model: most of very many devices.

Their flow (`federation.flows.participate`) would adopt it, have it evaluated on the node's own test part, and end. What comes of that is
known beforehand, so that a simulator need not begin a flow for each of a hundred thousand.
"""

from coterie.core.ids import NodeId
from coterie.federation.federation import Federation
from coterie.federation.messages import LAST, UPDATES, Message, Model
from coterie.federation.state import RoundState, View, replace


class Bystanders:
    """Those of one `federation`, if it may have any: who stand by and say nothing."""

    def __init__(self, federation: Federation) -> None:
        planner, self._federation = federation.planner, federation
        many_parts = federation.asks or federation.ever_forwards or federation.proxied or planner.roles.coupled or planner.stays
        self._any = federation.everyone and federation.membership is None and not many_parts
        self._at, self._acting = -1, frozenset[int]()

    def may_take(self, message: Message, beyond: tuple[NodeId, ...]) -> bool:
        """Whether `message`, which no round comes after, is a model that nodes can adopt at once."""
        if not self._any or beyond or message.__class__ is not Model or message.payload is None or message.term:
            return False
        number, view = message.round, View()
        return message.phase in {UPDATES, LAST} and number > 0 and self._federation.may_publish(message.origin, number, view)

    def adopted(self, me: NodeId, state: RoundState, message: Message) -> RoundState | None:
        """The last state of `me`, which rests in `state`, where all it has to do is to adopt `message`; None where it has more to do."""
        number = message.round
        if number != self._at:
            self._at, self._acting = number, self._in_the_end(number)
        if me in self._acting or state.held or state.round > number or state.view.term or message.payload is None:
            return None
        if number > self._federation.next_part(me, state):
            return None
        has = (state.view.term, number)
        return replace(state, round=number, model=message.payload, held=True, update=None, again=False, has=has)

    def _in_the_end(self, number: int) -> frozenset[int]:
        """Who had a part in the round before `number`, and says goodbye, or holds its model."""
        planner = self._federation.planner
        return frozenset(planner.table(number - 1).participants.tolist()).union(planner.holders(number).tolist())
