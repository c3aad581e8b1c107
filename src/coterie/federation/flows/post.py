"""Sending to nodes near or far."""

from coterie.core.ids import NodeId
from coterie.federation.effects import Send
from coterie.federation.federation import Federation
from coterie.federation.messages import Goodbye, Message
from coterie.federation.state import View


async def post(me: NodeId, federation: Federation, view: View, to: tuple[NodeId, ...], message: Message) -> None:
    """Send `message` to all of `to`: straight to neighbours, through proxies to others, one message per first hop."""
    if not to:
        return
    if not federation.proxied:
        await Send(to, message)
        return
    routes = federation.routes(message.round, view)
    if not routes.proxies:
        await Send(to, message)
        return
    near = tuple(node for node in to if routes.graph.has_edge(me, node))
    far = routes.next_hops(me, me, tuple(node for node in to if node not in near))
    sends = ([Send(near, message)] if near else []) + [Send((hop,), message, beyond) for hop, beyond in far]
    if message.__class__ is Goodbye:
        sends.reverse()  # a proxy that has had its own may leave
    for send in sends:
        await send
