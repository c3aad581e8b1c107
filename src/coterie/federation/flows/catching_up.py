"""How a node with a model of its own that has fallen behind its neighbours comes to be with them again.

One that is behind all of them was away, or too slow: it takes the newest model of a neighbour and goes on from there. One that is behind
only some was cut off from those together with others, as where a network falls apart and comes together: what its side has learned is
in its model, which it keeps, and takes only the number of the round. Mixing then brings the two sides together.
"""

from coterie.core.ids import NodeId
from coterie.federation.effects import FOREVER, Around, Checkpoint, Event, Gather, Kept, Sleep
from coterie.federation.federation import Federation
from coterie.federation.flows.post import post
from coterie.federation.membership import GaveUp
from coterie.federation.messages import BEHIND, NEWEST, Model, Notice
from coterie.federation.state import RoundState, View, replace


async def caught_up(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """At the head of a round: the state of a later one, where neighbours are further ahead than messages may be late; else `state`."""
    near = frozenset(federation.peers(me))
    rounds = {node: number for node, number, *_, silent, left in await Around() if node in near and number >= 0 and not silent and left < 0}
    latest = state.round + max(1, federation.schedule.staleness_rounds)
    ahead = {node: number for node, number in rounds.items() if number > latest}
    if not ahead:
        return state
    best = max(ahead, key=lambda node: (ahead[node], -node))
    if len(ahead) < len(rounds):
        await Event("catches up", f"from round {state.round} to {ahead[best]}, with its own model")
        return replace(state, round=ahead[best])
    newest = await model_of(best, me, federation, state)
    if newest is None or newest.payload is None:
        return state
    await Event("catches up", f"from round {state.round} to {newest.round}, with the model of node {newest.origin}")
    return replace(state, round=newest.round, model=newest.payload, unheard=0)


async def joined(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """A node that joins later: once a neighbour is in its first round, that neighbour's model. Raises GaveUp where none is there to ask."""
    membership, first, waited = federation.membership, int(federation.planner.stays[me][0]), 0.0
    assert membership is not None
    while waited < membership.deadline_seconds:
        around = await Around()
        best = max(
            ((number, -node) for node, number, *_, silent, left in around if number >= first and not silent and left < 0), default=None
        )
        if best is not None and (newest := await model_of(NodeId(-best[1]), me, federation, state)) is not None:
            await Event("joins", f"in round {newest.round}, with the model of node {newest.origin}")
            return replace(state, round=newest.round, model=newest.payload, held=True)
        await Sleep(membership.interval_seconds)
        waited = 0.0 if any(not silent and left < 0 for *_, silent, left in around) else waited + membership.interval_seconds
    raise GaveUp(f"node {me} was to join in round {first}, and for {waited:g} s no neighbour was there to give it a model")


async def model_of(peer: NodeId, me: NodeId, federation: Federation, state: RoundState) -> Model | None:
    """The newest model of `peer`, if it is of a later round; None where it does not answer in time."""
    await post(me, federation, state.view, (peer,), Notice(state.round, me, phase=BEHIND))
    seconds = federation.membership.deadline_seconds if federation.membership is not None else FOREVER
    got = await Gather(Model, state.round + 1, FOREVER, frozenset((peer,)), need=1, phase=NEWEST, deadline_seconds=seconds)
    return got[-1] if got and got[-1].payload is not None else None


async def helping(me: NodeId, federation: Federation, view: View) -> None:
    """Give the newest model to neighbours who say that they have fallen behind; it runs beside the rounds."""
    while await Checkpoint(view, light=True):
        for asking in await Gather(Notice, 0, FOREVER, None, need=1, phase=BEHIND):
            state = await Kept()
            await post(me, federation, view, (asking.origin,), Model(state.round, me, state.model, phase=NEWEST))
