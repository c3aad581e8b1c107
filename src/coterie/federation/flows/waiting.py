"""Waiting for nodes that are not there: always told, and never for ever."""

from collections.abc import Iterable, Mapping

from coterie.core.ids import NodeId
from coterie.federation.effects import Around, Event, Gather, Promised, Send, Sleep
from coterie.federation.federation import Federation
from coterie.federation.flows.succession import unsupported, wants_view
from coterie.federation.membership import GaveUp
from coterie.federation.messages import TROUBLE, Model, Notice
from coterie.federation.presence import Sign, away, furthest
from coterie.federation.state import RoundState
from coterie.federation.succession import majority


async def enough(me: NodeId, federation: Federation, state: RoundState) -> bool:
    """At the head of a round, where `me` holds its model: until there are enough nodes for it. Raises GaveUp after the deadline.

    False where the others are much further: then its model is one of long ago.
    """
    membership, looks, rotates = federation.membership, 0, federation.planner.roles.aggregator.rotates
    assert membership is not None
    while True:
        around = await Around()
        if rotates and (furthest(around, state.view.term or -1) > state.round + 1 or _over(federation, state, around)):
            return False
        lack = _lack(me, federation, state, around)
        if not lack:
            break
        waited = looks * membership.interval_seconds
        if looks == 1:  # less than an interval is no waiting: others take a moment to stand in a new view
            await Event("waits", f"for nodes: {lack}")
        wants = federation.succeeds and lack == wants_view(me, federation, around, state)
        if wants and await Promised() <= state.view.term:  # once it has claimed, the heartbeat counts the intervals
            await Send((me,), Notice(state.round, me, phase=TROUBLE))
        if waited >= membership.deadline_seconds:
            raise GaveUp(f"node {me} waited for {waited:g} s at the head of round {state.round}: {lack}")
        await Sleep(membership.interval_seconds)
        looks += 1
    if looks > 1:
        await Event("goes on", f"after {looks * membership.interval_seconds:g} s")
    return True


def _over(federation: Federation, state: RoundState, around: tuple[Sign, ...]) -> bool:
    """Whether somebody has finished with a later model than that of `state`, where all get the last one and none is replaced."""
    known = not federation.succeeds and federation.everyone
    return known and any(left > state.round and node not in federation.planner.stays for node, *_, left in around)


def _lack(me: NodeId, federation: Federation, state: RoundState, around: tuple[Sign, ...]) -> str:
    """Why the round of `state` cannot begin; empty where it can."""
    membership, planner = federation.membership, federation.planner
    assert membership is not None
    through = {node for node, *_, left in around if left > state.round}  # they have done their part in it
    gone = {node: number for node, number in away(around).items() if node not in through}
    if federation.succeeds:
        if reason := unsupported(me, federation, around, state) or wants_view(me, federation, around, state):
            return reason
        gone = {node: number for node, number in gone.items() if node not in state.view.absent}
    table = planner.table(state.round, state.view)
    members = {me, *federation.peers(me)} if planner.roles.coupled else set(range(federation.nodes))
    members -= planner.outside(state.round)
    missing = sorted(members & gone.keys())
    there = len(members) - len(missing)
    if there < membership.minimum:
        return f"{there} of the {membership.minimum} that it takes are there; missing: {_told(missing, gone)}"
    trainers = table.trainers.tolist()
    if not planner.roles.coupled and trainers and gone.keys() >= set(trainers):
        return f"nobody is there to train; missing: {_told(sorted(gone.keys() & set(trainers)), gone)}"
    return ""


async def heard_again(me: NodeId, federation: Federation, state: RoundState, invitation: Gather[Model]) -> tuple[Model, ...]:
    """Nobody is there who could send the model that `me` waits for: until there is, and one comes. Raises GaveUp after the deadline.

    invitation: a gather of it that does not wait. While others are heard to get on, nothing is wrong but that `me` is not asked.
    """
    membership, waited, newest = federation.membership, 0.0, state.round
    assert membership is not None
    expected = sorted(federation.expected(me, state))
    await Event("waits", f"for a model of round {state.round} or later; not there: {_told(expected, away(await Around()))}")
    while waited < membership.deadline_seconds:
        await Sleep(membership.interval_seconds)
        waited += membership.interval_seconds
        got = await invitation
        around = await Around()
        gone = away(around)
        if got or not gone.keys() >= set(expected):
            await Event("goes on", f"after {waited:g} s")
            return got
        if (now := furthest(around)) > newest:
            newest, waited = now, 0.0
    missing = _told(expected, away(await Around()))
    raise GaveUp(f"node {me} waited for {waited:g} s for a model of round {state.round} or later; not there: {missing}")


async def settled(federation: Federation, state: RoundState) -> None:
    """Where views are decided by majorities, until one has the last model in this view: else it might be void, and another come."""
    membership, looks = federation.membership, 0
    assert membership is not None
    have: list[NodeId] = []
    while looks * membership.interval_seconds < membership.deadline_seconds:
        have = [node for node, *_, left in await Around() if left >= state.round]
        if len(have) + 1 >= majority(federation.nodes):
            return
        await Sleep(membership.interval_seconds)
        looks += 1
    await Event("ends alone", f"{len(have) + 1} of {federation.nodes} nodes have said that they have the last model")


def _told(nodes: Iterable[int], rounds: Mapping[NodeId, int]) -> str:
    """Nodes by name, with the round they were last heard of in."""
    known = [(node, rounds.get(NodeId(node), -1)) for node in nodes]
    return ", ".join(f"node {node}" + (f" (last heard of in round {number})" if number >= 0 else "") for node, number in known)
