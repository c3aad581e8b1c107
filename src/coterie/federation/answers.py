"""Effects by which a flow learns of other nodes, and says who is there: one answer each, `perform` finds it."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from coterie.core.ids import NodeId
from coterie.federation.effects import Absent, Anew, Around, Effect, Event, Heard, Kept, Numbers, Present, Promise, Promised
from coterie.federation.flow import Running
from coterie.federation.state import RoundState

if TYPE_CHECKING:
    from coterie.federation.node import Node


def perform(node: "Node", flow: Running, effect: Effect[Any]) -> Any:
    """The answer of `node` to an effect of `flow`. Raises TypeError for one that nobody knows."""
    answer = ANSWERS.get(effect.__class__)
    if answer is None:
        raise TypeError(f"{effect!r} is no effect that a node knows")
    return answer(node, flow, effect)


def _absent(node: "Node", _: Running, effect: Absent) -> None:
    _tell(node, "gone", effect.nodes - node.presence.suspected)
    node.presence.suspected |= effect.nodes
    node.recount()


def _present(node: "Node", _: Running, effect: Present) -> None:
    _tell(node, "back", effect.nodes & node.presence.suspected)
    node.presence.suspected -= effect.nodes


def _tell(node: "Node", what: str, nodes: frozenset[NodeId]) -> None:
    if nodes:
        node.driver.note(node, Event(what, f"node{'s' if len(nodes) > 1 else ''} {', '.join(map(str, sorted(nodes)))}"))


def _heard(node: "Node", _: Running, __: Heard) -> tuple[NodeId, ...]:
    node.presence.listens = True
    return node.presence.heard()


def _around(node: "Node", _: Running, __: Around) -> Any:
    return node.presence.around()


def _kept(node: "Node", _: Running, __: Kept) -> Any:
    root = node.flows[1]
    return root.state if isinstance(root.state, RoundState) else root.arguments[2]


def _promise(node: "Node", _: Running, effect: Promise) -> None:
    gone, again = node.mailbox.promise(effect.term)
    for message in gone:
        node.withdraw(message)
    for message in again:
        node.take_in(message.origin, message)


def _promised(node: "Node", _: Running, __: Promised) -> int:
    return node.mailbox.term


def _anew(node: "Node", _: Running, effect: Anew) -> None:
    node.begin_anew(effect.state)


def _numbers(node: "Node", _: Running, effect: Numbers) -> tuple[int, ...]:
    return tuple(_whole(value) for value in node.driver.inspect(node, effect.handle).tolist())


def _whole(value: float) -> int:
    """A number that came from a peer, if it is a whole one; else -1."""
    return int(value) if 0 <= value < 1 << 24 and value == int(value) else -1


ANSWERS: dict[type[Effect[Any]], Callable[["Node", Running, Any], Any]] = {
    Absent: _absent,
    Present: _present,
    Heard: _heard,
    Around: _around,
    Kept: _kept,
    Promise: _promise,
    Promised: _promised,
    Anew: _anew,
    Numbers: _numbers,
}
