"""The failure detector: every interval a hello to all with whom a node has dealings, and a judgement on who has been silent."""

from coterie.core.ids import NodeId
from coterie.federation.effects import Absent, Around, Checkpoint, Heard, Kept, Present, Promised, Send, Sleep
from coterie.federation.federation import Federation
from coterie.federation.flows.post import post
from coterie.federation.flows.succession import in_trouble, told_of
from coterie.federation.membership import Pulse
from coterie.federation.messages import BEAT, TROUBLE, Hello, Notice
from coterie.federation.state import RoundState

Pulses = tuple[tuple[NodeId, int, float, float], ...]
"""The fields of a `Pulse` for each peer; nothing before the first interval."""


async def heartbeat(me: NodeId, federation: Federation, pulses: Pulses) -> None:
    """For as long as the node lives; it runs beside the rounds, whose gathers count again when somebody is gone."""
    membership, peers = federation.membership, federation.peers(me)
    assert membership is not None
    while await Checkpoint(pulses, light=True):
        state = await Kept()
        await post(me, federation, state.view, peers, Hello(state.round, me, phase=BEAT, attempt=await Promised()))
        await Sleep(membership.interval_seconds)
        heard = frozenset(await Heard())
        before = [Pulse(*pulse) for pulse in pulses] or [Pulse(peer) for peer in peers]
        after = [pulse.next(pulse.node in heard, membership.patience) for pulse in before]
        pulses = tuple((pulse.node, pulse.silent, pulse.gap, pulse.deviation) for pulse in after)
        if federation.succeeds:
            await look_after(me, federation, await Kept())
        if heard:
            await Present(heard)
        if lost := frozenset(pulse.node for pulse in after if pulse.silent > pulse.bound(membership.patience)):
            await Absent(lost)


async def look_after(me: NodeId, federation: Federation, state: RoundState) -> None:
    """Where aggregators are replaced: tell peers in older views of ours, and ourselves when we cannot go on."""
    around, view = await Around(), state.view
    behind = tuple(node for node, _, term, _, silent, _ in around if not silent and 0 <= term < view.term)
    if behind:
        await post(me, federation, view, behind, told_of(me, view))
    stuck = any(0 <= term < view.term < promised and not silent for _, _, term, promised, silent, _ in around)
    if stuck or in_trouble(me, federation, around, state) or await Promised() > view.term:
        await Send((me,), Notice(state.round, me, phase=TROUBLE))
