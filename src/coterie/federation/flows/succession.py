"""How nodes agree on who aggregates next; the rules, and why two never do at a time, are in `federation.succession`."""

import numpy as np

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.effects import FOREVER, Anew, Around, Checkpoint, Event, Gather, Kept, Numbers, Promise, Refuse
from coterie.federation.federation import Federation
from coterie.federation.flows.post import post
from coterie.federation.membership import GaveUp
from coterie.federation.messages import CLAIM, PROMISE, TROUBLE, VIEW, Notice
from coterie.federation.presence import MOST_TERMS, Sign, furthest
from coterie.federation.state import RoundState, View, replace
from coterie.federation.succession import (
    CLAIM_TICKS,
    NOBODY,
    Ballot,
    Vote,
    acting,
    following,
    majority,
    numbers_of,
    rank,
    view_from,
)


async def succession(me: NodeId, federation: Federation, ballot: Ballot) -> None:
    """Claims, promises and views, one after the other; it runs beside the rounds, and a new view begins them anew."""
    while await Checkpoint(ballot):
        await Promise(ballot.promised)
        if ballot.answer is not None:  # what it says is kept by now
            await post(me, federation, (await Kept()).view, ballot.to_whom, ballot.answer)
            ballot = replace(ballot, answer=None, to_whom=())
        got = await Gather(Notice, 0, FOREVER, None, need=1, most=1, phase=(TROUBLE, CLAIM, PROMISE, VIEW))
        notice, state = got[0], await Kept()
        if notice.phase == VIEW:
            await followed(me, federation, ballot, state, notice)
        elif notice.phase == CLAIM:
            ballot = await asked(me, federation, ballot, state, notice)
        elif notice.phase == PROMISE:
            ballot = await counted(me, federation, ballot, state, notice)
        elif notice.origin == me:
            ballot = await troubled(me, federation, ballot, state)


async def troubled(me: NodeId, federation: Federation, ballot: Ballot, state: RoundState) -> Ballot:
    """One interval more in which `me` cannot go on: claim when it is its turn, repeat the claim, or give it up."""
    around, ballot = await Around(), ballot.troubled(state)
    seconds = ballot.trouble * federation.membership.interval_seconds if federation.membership is not None else 0.0
    if federation.membership is not None and seconds > federation.membership.deadline_seconds:
        raise GaveUp(f"node {me} was in trouble for {seconds:g} s in round {state.round}: no majority could agree on who aggregates next")
    gone = lost(me, federation, around, state, slow=ballot.ticks > CLAIM_TICKS)
    absent = tuple(sorted(gone))
    promised = ballot.promised > state.view.term
    mine = promised and ballot.to == me
    decided = any(term > state.view.term and not silent for _, _, term, _, silent, _ in around)
    candidates = [node for node in federation.planner.roles.aggregator.candidates.tolist() if node not in gone]
    if federation.nodes - len(gone) < majority(federation.nodes) or decided or not candidates:
        return given_up(me, federation, ballot, state) if mine else ballot  # none could answer, or has decided already and will tell
    if mine:  # go on with it, or give it up: perhaps what it waits for has come meanwhile
        again = ballot.absent == absent and ballot.ticks <= CLAIM_TICKS
        return ballot.saying(claim(me, ballot, state), federation.others(me)) if again else given_up(me, federation, ballot, state)
    table = federation.planner.table(state.has[1], View(absent=absent))
    holder = state.held and federation.holds(me, state.round, state.view)
    first = me if holder else int(next(iter(table.aggregators), NOBODY))  # all who are there may rest in that round
    patient = promised or not (holder or in_trouble(me, federation, around, state))
    if ballot.ticks <= CLAIM_TICKS * (rank(me, candidates, first) + patient):
        return ballot
    term = max((ballot.promised, ballot.claimed, *(promised for _, _, _, promised, _, _ in around))) + 1
    own = replace(ballot.promising(term, me, absent), claimed=term).vote(Vote(me, *state.has))
    await Event("claims", f"term {own.promised} from round {state.has[1]}" + (f", without {_named(absent)}" if absent else ""))
    return own.saying(claim(me, own, state), federation.others(me))


def given_up(me: NodeId, federation: Federation, ballot: Ballot, state: RoundState) -> Ballot:
    """Without its own claim; whoever has given a voice is told, by a claim that says nothing, and is free again."""
    nothing = Notice(state.has[1], me, phase=CLAIM, attempt=ballot.promised)
    return ballot.promising(state.view.term, NOBODY).saying(nothing, federation.others(me))


def claim(me: NodeId, ballot: Ballot, state: RoundState) -> Notice:
    """The question for voices: the term, the term and the round of the model that the claimer has, the term it stands in, who is absent."""
    numbers = Handle(np.array([state.view.term, state.has[0], *ballot.absent], np.float32))
    return Notice(state.has[1], me, numbers, phase=CLAIM, attempt=ballot.promised)


async def asked(me: NodeId, federation: Federation, ballot: Ballot, state: RoundState, notice: Notice) -> Ballot:
    """Whether `me` gives its voice: to one node a term, who stands in no earlier view, if it misses whom that node misses."""
    term, around = notice.attempt, await Around()
    if notice.payload is None:  # it is given up
        mine = term > state.view.term and (term, notice.origin) == (ballot.promised, ballot.to)
        return ballot.promising(state.view.term, NOBODY) if mine else ballot
    numbers = await Numbers(notice.payload)
    if term >= MOST_TERMS or len(numbers) < 2 or min(numbers) < 0 or not all(node < federation.nodes for node in numbers[2:]):
        await Refuse(notice, "malformed", "no claim")
        return ballot
    missed = lost(me, federation, around, state) | set(state.view.absent)
    again = term == ballot.promised and notice.origin == ballot.to
    if numbers[0] < state.view.term or not (again or term > ballot.promised) or not missed >= set(numbers[2:]):
        return ballot
    if state.round == 0 and furthest(around) > 1:
        return ballot  # it has lost its disk, and with it perhaps a promise
    ahead = state.has > (numbers[1], notice.round)
    answer = Notice(state.has[1], me, state.model if ahead else None, phase=PROMISE, attempt=term, weight=state.has[0])
    return ballot.promising(term, notice.origin).saying(answer, (notice.origin,))


async def counted(me: NodeId, federation: Federation, ballot: Ballot, state: RoundState, notice: Notice) -> Ballot:
    """A voice for the own claim; with that of a majority, `me` is the next holder, of the newest model that any of them has."""
    if (notice.attempt, me) != (ballot.promised, ballot.to) or ballot.promised <= state.view.term:
        return ballot
    ballot = ballot.vote(Vote(notice.origin, notice.weight, notice.round, notice.payload))
    if len(ballot.votes) < majority(federation.nodes):
        return ballot
    best = ballot.best()
    model = state.model if state.has >= best[1:3] else best.model
    if model is None:
        return ballot  # its voter has gone on since the claim; the next one will bring it
    base, number = max(state.has, best[1:3])
    view = View(ballot.promised, ballot.absent, number, me, base)
    await Event("takes over", f"in term {view.term} with the model of round {view.round}, {len(ballot.votes)} voices")
    if federation.hands_over and not (state.held and state.has == (base, number)):
        await Event("starts anew", "the server state of the aggregator before is lost")
    await Anew(replace(acting(state, view, model), claimed=ballot.claimed))
    return ballot


async def followed(me: NodeId, federation: Federation, ballot: Ballot, state: RoundState, notice: Notice) -> None:
    """A view that a majority has decided on: stand in it, unless a later one is known or promised."""
    numbers = await Numbers(notice.payload) if notice.payload is not None else ()
    view = view_from(notice.attempt, notice.round, numbers, federation.nodes)
    if view is None:
        await Refuse(notice, "malformed", "no view")
        return
    if view.term <= state.view.term or (view.term < ballot.promised and ballot.to != me):
        return  # its own claim it may give up: nobody else has counted its voice
    await Event("follows", f"node {view.holder} in term {view.term} from round {view.round}")
    mine = view.holder == me and state.has == (view.base, view.round)
    await Anew(replace(acting(state, view, state.model) if mine else following(state, view), claimed=ballot.claimed))


async def announce(me: NodeId, federation: Federation, state: RoundState) -> None:
    """The holder of a new view tells everybody, absent ones too: they learn of it when they are back."""
    await post(me, federation, state.view, federation.others(me), told_of(me, state.view))


def told_of(me: NodeId, view: View) -> Notice:
    """A view for others to stand in."""
    numbers = Handle(np.array(numbers_of(view), np.float32))
    return Notice(view.round, me, numbers, phase=VIEW, attempt=view.term)


def lost(me: NodeId, federation: Federation, around: tuple[Sign, ...], state: RoundState, *, slow: bool = True) -> set[NodeId]:
    """Who is silent or has left; with `slow`, also who should have the model that `me` waits for, and is too far behind to have it."""
    expected = federation.expected(me, state) if slow and not state.held else frozenset()
    return {
        node
        for node, number, _, _, silent, left in around
        if silent or 0 <= left < state.round or (node in expected and 0 <= number < state.round - 1)
    }


def in_trouble(me: NodeId, federation: Federation, around: tuple[Sign, ...], state: RoundState) -> bool:
    """Whether `me` waits for a model that whoever has it cannot send.

    Others may have got it and be waiting for the next one; if they are further than that, it is only not asked.
    """
    if state.held or furthest(around, state.view.term) > state.round + 1:
        return False
    return federation.expected(me, state) <= lost(me, federation, around, state)


def wants_view(me: NodeId, federation: Federation, around: tuple[Sign, ...], state: RoundState) -> str:
    """Why the holder `me` of a round's model wants another view before it publishes it; empty where it does not."""
    gone, aggregator = lost(me, federation, around, state), federation.planner.table(state.round, state.view).aggregators.tolist()
    if gone.intersection(aggregator):
        return f"node {aggregator[0]}, which is to aggregate, is not there"
    back = [node for node, _, term, _, _, _ in around if node not in gone and term == state.view.term and node in state.view.absent]
    if back:
        return f"{_named(tuple(back))} {'are' if len(back) > 1 else 'is'} back"
    promised = [node for node, _, _, term, _, _ in around if node not in gone and term > state.view.term]
    return f"{_named(tuple(promised))} gave a voice in a later term" if promised else ""


def unsupported(me: NodeId, federation: Federation, around: tuple[Sign, ...], state: RoundState) -> str:
    """Why the holder `me` of a round's model may not publish it yet; empty where a majority of the members stands in its view."""
    view = state.view
    others = {node: not silent and (term == view.term or (term < 0 and not view.term)) for node, _, term, _, silent, _ in around}
    unheard = not view.term  # at the beginning nobody has been heard of
    standing = sum(node == me or others.get(NodeId(node), unheard) for node in range(federation.nodes))
    needed = majority(federation.nodes)
    return "" if standing >= needed else f"{standing} of {federation.nodes} nodes stand in its view, and it takes {needed}"


def _named(nodes: tuple[NodeId, ...]) -> str:
    return f"node{'s' if len(nodes) > 1 else ''} {', '.join(map(str, nodes))}"
