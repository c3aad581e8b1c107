"""Nodes at rest: each a row. One that only waits to be invited needs no flow, no mailbox and no model."""

from array import array
from typing import Any

from coterie.core.jobs import Handle
from coterie.federation.state import RoundState, View

NEVER_ACTED = -1
_FIRST_VIEW = View()


class Resting:
    """The states of nodes that wait to be sent a model: the round they wait for, four bytes a node, and little else.

    Such a node has to adopt a model before it acts, so that it keeps none: it is given back with the initial one. Nor does it keep which
    it has had (`has`): that is asked only where nodes fail, and there none rests.
    Whoever carries more than its algorithm's state on a trainer is kept whole.
    """

    def __init__(self, nodes: int, initial: Handle) -> None:
        self.initial = initial
        self._rounds = array("i", [NEVER_ACTED]) * nodes
        self._clients: dict[int, Handle] = {}
        self._others: dict[int, RoundState] = {}

    def put(self, node: int, state: RoundState) -> None:
        """`node` goes to rest with `state`, which holds no round's model."""
        if state == RoundState(state.round, state.model, held=False, client=state.client, has=state.has):
            self._rounds[node] = state.round
            if state.client is not None:
                self._clients[node] = state.client
        else:
            self._others[node] = state

    def take(self, node: int) -> RoundState | None:
        """The state of `node`, which rests no longer; None if it never acted."""
        state = self.get(node)
        if state is not None:
            self._rounds[node] = NEVER_ACTED
            self._clients.pop(node, None)
            self._others.pop(node, None)
        return state

    def get(self, node: int) -> RoundState | None:
        """The state of `node`; None if it never acted, or acts now."""
        number = self._rounds[node]
        if number == NEVER_ACTED:
            return self._others.get(node)
        return RoundState(number, self.initial, held=False, client=self._clients.get(node))

    def saved(self) -> list[Any]:
        """What `restored` needs."""
        return [self._rounds.tobytes(), list(self._clients.items()), list(self._others.items())]

    def restored(self, saved: list[Any]) -> None:
        """Become what `saved` said."""
        rounds, clients, others = saved
        self._rounds = array("i", rounds)
        self._clients, self._others = dict(clients), dict(others)
