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
            for hop, beyond in routes.first_hops(me, parcel.to):
                await Send((hop,), parcel.content, () if beyond == (hop,) else beyond)


async def wait_for_those_behind(me: NodeId, federation: Federation, state: RoundState) -> None:
    """A proxy stays until the neighbours that need it have said goodbye (or are gone), so that they get the last model."""
    behind = federation.planner.served_by(me, state.round, state.view)
    if behind:
        await Gather(Goodbye, 0, FOREVER, behind, deadline_seconds=federation.linger_seconds)
