"""Whom a node holds to be there, and how far it has heard the others to be."""

from collections.abc import Collection
from typing import Any

from coterie.core.ids import NodeId
from coterie.federation.effects import FOREVER, Gather
from coterie.federation.messages import BEAT, EXCHANGE, LAST, UPDATES, Goodbye, Hello, Message, Model, Update

Sign = tuple[NodeId, int, int, int, bool, int]
"""(a peer, its round and its term as it last said, or -1, the term it has promised, whether it is silent, since which round gone or -1)."""


MOST_TERMS = 1 << 31
"""More views than any run has: who speaks of a later one is not believed."""


class Presence:
    """What one node knows of its peers.

    gone: who said goodbye or was cut off, and from which round on. suspected: who has been silent for too long.
    listens: whether anybody asks for signs of life; where nobody does, none are noted. rounds, terms, promised: what peers told of last.
    """

    __slots__ = ("_heard", "gone", "listens", "promised", "rounds", "suspected", "terms")

    def __init__(self) -> None:
        self.gone: dict[NodeId, int] = {}
        self.suspected: set[NodeId] = set()
        self.rounds: dict[NodeId, int] = {}
        self.terms: dict[NodeId, int] = {}
        self.promised: dict[NodeId, int] = {}
        self.listens = False
        self._heard: set[NodeId] = set()

    def hear(self, sender: NodeId, message: Message) -> bool:
        """`message` is a sign of life; True if it tells of a later round of who made it than was known.

        What only acknowledges is none: who has ended does that, too, and will never do anything else.
        """
        origin, hello = message.origin, message.__class__ is Hello
        if hello and message.phase != BEAT:
            return False
        self._heard.update((sender, origin))
        if not hello and message.__class__ is not Goodbye and not (message.__class__ is Model and message.phase == EXCHANGE):
            return False
        before = self.rounds.get(origin, -1)
        if not hello:
            self.rounds[origin] = max(before, message.round)
            return message.round > before
        if message.term > self.terms.get(origin, 0):
            self.gone.pop(origin, None)  # it had finished, and began anew in another view
        if message.term < MOST_TERMS and message.attempt < MOST_TERMS:
            self.terms[origin], self.promised[origin] = message.term, message.attempt
        self.rounds[origin] = message.round
        return message.round > before

    def heard(self) -> tuple[NodeId, ...]:
        """Who was heard of since this was last asked, in order."""
        found = tuple(sorted(self._heard))
        self._heard.clear()
        return found

    def around(self) -> tuple[Sign, ...]:
        """What is known of each peer, in order."""
        known = sorted(self.rounds.keys() | self.gone.keys() | self.suspected)
        return tuple(self._sign(node) for node in known)

    def _sign(self, node: NodeId) -> Sign:
        number, term, promised = self.rounds.get(node, -1), self.terms.get(node, -1), self.promised.get(node, 0)
        return (node, number, term, promised, node in self.suspected, self.gone.get(node, -1))

    def released(self, effect: Gather[Any], missing: Collection[NodeId]) -> set[NodeId]:
        """Those of `missing` from whom nothing that `effect` waits for will come."""
        found = self.suspected.intersection(missing)
        if self.gone:
            last = _last_round(effect)
            found |= {node for node, since in self.gone.items() if since <= last and node in missing}
        if self.rounds:
            further = _passed(effect)
            found |= {node for node in missing if self.rounds.get(node, -1) > further}
        return found

    def saved(self) -> list[Any]:
        """What `restored` needs."""
        signs = [sorted(known.items()) for known in (self.rounds, self.terms, self.promised)]
        return [sorted(self.gone.items()), sorted(self.suspected), signs, sorted(self._heard), self.listens]

    def restored(self, saved: list[Any]) -> None:
        """Become what `saved` said."""
        gone, suspected, signs, heard, self.listens = saved
        self.gone, self.suspected, self._heard = {NodeId(node): since for node, since in gone}, set(suspected), set(heard)
        self.rounds, self.terms, self.promised = (dict(known) for known in signs)


def _last_round(effect: Gather[Any]) -> float:
    """From which round on, at the latest, somebody must be gone for nothing more to come from them."""
    low = max(effect.low, effect.since)
    if effect.kind is Model and not {UPDATES, LAST}.isdisjoint(effect.phases):
        return low - 1  # the model of the round it stopped at is the last thing a node sends; its goodbye may overtake it
    if effect.high == FOREVER or (effect.kind is Update and effect.need != FOREVER):
        return FOREVER  # where rounds need not wait for all, who left may have left out some, and nothing more will come
    return low


def _passed(effect: Gather[Any]) -> float:
    """Who is heard of in a later round than this has sent what `effect` waits for, or never will."""
    if effect.kind is Model and EXCHANGE in effect.phases:
        return effect.high
    return effect.high + 1 if effect.kind is Update else FOREVER  # a trainer that has sent its update is one further


def furthest(around: tuple[Sign, ...], term: int = 0) -> int:
    """The newest round that anybody who stands in `term` or a later one says to be in; -1 where nobody does."""
    return max((number for _, number, stands, *_ in around if stands >= term), default=-1)


def away(around: tuple[Sign, ...]) -> dict[NodeId, int]:
    """Who is silent or has gone, with the round they were last heard of in."""
    return {node: number for node, number, _, _, silent, left in around if silent or left >= 0}
