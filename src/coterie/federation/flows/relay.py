"""What a proxy does: hand on what is for others."""

from coterie.core.ids import NodeId
from coterie.federation.effects import FOREVER, Checkpoint, Gather, Send
from coterie.federation.federation import Federation
from coterie.federation.messages import Goodbye, Parcel
from coterie.federation.state import RoundState, View


async def relay(me: NodeId, federation: Federation, view: View) -> None:
    """Hand on parcels for as long as the node lives; it runs beside the rounds, which never wait for it."""
    while await Checkpoint(view):
        for parcel in await Gather(Parcel, 0, FOREVER, None, need=1):
            routes = federation.routes(parcel.round, view)
            for hop, beyond in routes.next_hops(me, parcel.origin, parcel.to):
                await Send((hop,), parcel.content, () if beyond == (hop,) else beyond)


async def see_off(me: NodeId, federation: Federation, state: RoundState) -> None:
    """A proxy stays until everybody whose messages pass through it has said goodbye: their goodbyes pass through it, too."""
    passing = federation.planner.passing(state.round, state.view, everyone=federation.everyone).get(me)
    if passing:
        await Gather(Goodbye, state.round, FOREVER, passing, deadline_seconds=federation.linger_seconds)
