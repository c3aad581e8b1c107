"""A decentralized federation without rounds in which nodes ask each other: pairwise averaging and gossip that pulls.

Lian et al. 2018, "Asynchronous Decentralized Parallel Stochastic Gradient Descent", https://arxiv.org/abs/1710.06952: while a node
trains, its model is averaged with that of a random neighbour; what training changed is then added to whatever the model has become.
Push-pull: Jelasity et al. 2005, "Gossip-based aggregation in large dynamic networks".

The paper locks both models, and so has to split the nodes into two halves that only ask across, or they would wait for each
other in a circle. Here nobody locks and nobody waits. A model is only ever changed by adding to it: who is asked adds w (theirs - its
own) and answers with what its own was; who asked adds w (answer - what it had sent). The two changes are each other's negative
whatever happened meanwhile, so that any graph will do and the sum of all models changes through training alone.
"""

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.effects import FOREVER, Around, Checkpoint, Gather, Note, Send, beside, work
from coterie.federation.federation import Federation
from coterie.federation.flows.evaluate import evaluated
from coterie.federation.flows.learn import learn
from coterie.federation.flows.post import post
from coterie.federation.messages import ANSWER, ASKING, OWN, Goodbye, Model
from coterie.federation.presence import away
from coterie.federation.state import Learner, RoundState, replace

LEFT = -1
"""In place of a round in `RoundState.asked`: who will answer no more."""


async def averaging(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Take in what the own training and the neighbours send, as it comes; a round is one training of its own."""
    async with beside(learn, me, federation, Learner(state.client, state.view)):
        while (goes_on := await Checkpoint(state)) or owing(state):
            if goes_on and not state.mixing:
                state = await begun(me, federation, state)
                continue
            phases, awaited = ((ASKING, ANSWER, OWN), frozenset((me,))) if goes_on else ((ASKING, ANSWER), owing(state))
            got = await Gather(Model, 0, FOREVER, None, need=1, phase=phases, awaited=awaited)
            if not got:  # they have left
                break
            state = await taken_in(me, federation, state, got)
    return state


def owing(state: RoundState) -> frozenset[NodeId]:
    """Who has been asked, has added its half, and has not answered yet."""
    return frozenset(peer for peer, number, _ in state.asked if number != LEFT)


async def begun(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """The head of a round: train from the model as it is now, and ask neighbours, save those who have left or still owe an answer."""
    if state.round == 0:
        await evaluated(me, federation, state)
    await Send((me,), Model(state.round, me, state.model))
    if federation.membership is not None:  # who is gone owes nothing any more, and may be asked again when it is back
        gone = away(await Around())
        state = replace(state, asked=tuple(one for one in state.asked if one[0] not in gone or one[1] == LEFT))
    left = {message.origin for message in await Gather(Goodbye, 0, FOREVER, None, need=0)}
    asked = tuple((peer, LEFT, None) if peer in left else (peer, number, sent) for peer, number, sent in state.asked)
    asked += tuple((peer, LEFT, None) for peer in sorted(left - {peer for peer, _, _ in asked}))
    known = {peer for peer, _, _ in asked}
    planner = federation.planner
    free = tuple(peer for peer in federation.plan(me, state.round, state.view).exchange_from if peer not in known)
    chosen = tuple(map(NodeId, planner.sharing.chosen(me, free, planner.seed, state.round)))
    if sum(number != LEFT for _, number, _ in asked) >= len(chosen):
        chosen = ()  # with too many answers still to come, they might add more than there is
    gives = None if planner.sharing.direction == "pull" else state.model
    await post(me, federation, state.view, chosen, Model(state.round, me, gives, phase=ASKING))
    return replace(state, mixing=True, asked=asked + tuple((peer, state.round, gives) for peer in chosen))


async def taken_in(me: NodeId, federation: Federation, state: RoundState, got: tuple[Model, ...]) -> RoundState:
    """One message after the other, each by adding to the model."""
    for message in got:
        if message.phase == ASKING:
            await post(me, federation, state.view, (message.origin,), Model(message.round, me, state.model, phase=ANSWER))
            state = await added(me, federation, state, message, state.model)
        elif message.phase == ANSWER:
            sent = [one for one in state.asked if one[:2] == (message.origin, message.round)]
            if sent:  # where it gave nothing, it moves from where it is now
                state = replace(state, asked=tuple(one for one in state.asked if one not in sent))
                state = await added(me, federation, state, message, sent[0][2] or state.model)
        elif message.origin == me and message.round == state.round:
            state = await added(me, federation, state, message, None)
            state = replace(state, round=state.round + 1, mixing=False)
            if federation.due(state.round):
                await evaluated(me, federation, state)
    return state


async def added(me: NodeId, federation: Federation, state: RoundState, message: Model, minus: Handle | None) -> RoundState:
    """The model with w (that of the message - `minus`) added, or what training changed as it is, where there is nothing to take off."""
    if message.payload is None:
        return state
    weight = 1.0 if minus is None else 1.0 / (1 + (federation.planner.sharing.neighbours or 1))
    shifted = await work(federation.shift(me, state, message, minus, weight))
    await Note(state.round + 1, shifted.facts)
    return replace(state, model=shifted.model)
