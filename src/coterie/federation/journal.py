"""A node as data, and a node made from data: its flows are run again from their checkpoints on the answers they had."""

from collections.abc import Callable
from typing import Any

from coterie.federation.delivery import Delivery, Link
from coterie.federation.effects import Checkpoint, Do, Effect, Flow, Gather, Spawn
from coterie.federation.flow import Running, Waiting
from coterie.federation.node import PENDING, Node

Build = Callable[[str, Any], tuple[Callable[..., Flow[Any]], tuple[Any, ...]]]
"""(the name of a flow function, its state or None) → (the function, its arguments)."""


def save(node: Node) -> dict[str, Any]:
    """All that a node is, as data that `saved.Packer` can pack. Needs a node that keeps a journal."""
    waiting = {wait.flow.number: _save_wait(place, wait) for place, wait in enumerate(node.waits)}
    delivery = node.delivery
    return {
        "id": node.id,
        "token": node.token,
        "flow_number": node._flow_number,  # noqa: SLF001 - this module is the node's memory
        "mailbox": node.mailbox.saved(),
        "presence": node.presence.saved(),
        "flows": [_save_flow(flow, waiting.get(flow.number)) for flow in node.flows.values()],
        "links": None if delivery is None else [_save_link(peer, link) for peer, link in delivery.links.items()],
    }


def _save_wait(place: int, wait: Waiting) -> list[Any]:
    """Whom it misses is not known from who is there now: one that was away when it looked may be back."""
    return [place, wait.grace_started, None if wait.missing is None else sorted(wait.missing)]


def _save_flow(flow: Running, wait: list[Any] | None) -> list[Any]:
    if flow.answers is None:
        raise RuntimeError(f"flow {flow.name} keeps no journal and cannot be saved")
    parent = None if flow.parent is None else flow.parent.number
    state = flow.state if flow.state is not None else flow.arguments[2]
    return [flow.number, flow.name, parent, flow.token, state, flow.state is not None, [*flow.prologue], [*flow.answers], wait]


def _save_link(peer: int, link: Link) -> list[Any]:
    outbox = [(number, message, beyond) for number, message, beyond in link.outbox]
    numbers = [link.incarnation, link.received, link.kept, link.acknowledged, link.since, link.confirmed]
    return [peer, link.sent, outbox, numbers, sorted(link.ahead), list(link.newest.values())]


def load(node: Node, data: dict[str, Any], build: Build, *, again: bool) -> None:
    """Make a new `node` what `data` says.

    `again`: the effects that flows wait at are asked for once more (a restarted process has lost its timers and jobs);
    otherwise the driver still holds them, under the tokens that were saved (a simulator cut in the middle).
    """
    if not again:
        node.token = data["token"]
    node._flow_number = data["flow_number"]  # noqa: SLF001
    node.presence.restored(data["presence"])
    node.mailbox.restored(data["mailbox"])
    if node.delivery is not None and data["links"] is not None:
        _load_links(node.delivery, data["links"], again=again)
    pending, places = [], {}
    for number, name, parent, token, state, checkpointed, prologue, answers, waited in data["flows"]:
        function, arguments = build(name, state)
        flow = Running(number, function, arguments, node.flows.get(parent), journal=True)
        node.flows[number] = flow
        effect = replay(flow, [*prologue, *answers])
        flow.prologue, flow.answers = list(prologue), list(answers)
        if effect.__class__ is Spawn:  # it was kept at the first checkpoint of its child, which is there already
            child = max(row[0] for row in data["flows"] if row[2] == number)
            flow.answers.append(child)
            effect = flow.coroutine.send(child)
        flow.state = state if checkpointed else None
        flow.effect = effect
        if again:
            pending.append((flow, effect))
            continue
        flow.token = token
        if effect.__class__ is Gather:
            wait = Waiting(flow, effect, node.presence)
            for message in node.mailbox.of(wait.effect.kind):
                wait.offer(message)
            places[number], wait.grace_started, missing = waited
            wait.missing = None if missing is None else set(missing)
            node.waits.append(wait)
    node.waits.sort(key=lambda wait: places[wait.flow.number])
    for flow, effect in pending:
        if flow.number in node.flows:
            node.perform_again(flow, effect)


def _load_links(delivery: Delivery, links: list[Any], *, again: bool) -> None:
    """The outbox of an earlier incarnation is numbered anew: a restart begins a new sequence."""
    for peer, sent, outbox, numbers, ahead, newest in links:
        link = delivery.link(peer)
        link.incarnation, link.received, kept, acknowledged, link.since, confirmed = numbers
        link.ahead, link.kept = set(ahead), link.received
        for message, beyond in newest:
            link.remember(message, tuple(beyond))
        if not again:
            link.sent, link.kept, link.acknowledged, link.confirmed = sent, kept, acknowledged, confirmed
            link.outbox.extend((number, message, tuple(beyond)) for number, message, beyond in outbox)
            continue
        for _, message, beyond in outbox:
            delivery.post(peer, message, tuple(beyond))
        link.acknowledged = 0


def replay(flow: Running, answers: list[Any]) -> Effect[Any]:
    """Feed `answers` to a fresh flow; the result is the effect it then waits at."""
    value: Any = None
    feed = iter(answers)
    while True:
        try:
            effect = flow.coroutine.send(value)
        except StopIteration:
            raise RuntimeError(f"flow {flow.name} ended while its journal was replayed: it is not a function of its answers") from None
        value = next(feed, PENDING)
        if value is PENDING:
            return effect
        if effect.__class__ is Do and value.__class__ is tuple:
            value = effect.job.outputs.__class__(*value)
        elif (effect.__class__ is Checkpoint and not isinstance(value, bool)) or (effect.__class__ is Spawn and not isinstance(value, int)):
            raise RuntimeError(f"flow {flow.name} asked for {effect!r} where its journal has {value!r}")
