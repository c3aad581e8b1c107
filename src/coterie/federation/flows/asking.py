"""How an aggregator works where there are no common rounds: whom it gives the model to, and what it takes in return.

Everybody it has given a model to is in `RoundState.asked` until an update comes back. Whoever has answered is free, and with the next
model the free ones are asked again, or others that are drawn in their place (Nguyen et al. 2022, "Federated Learning with Buffered
Asynchronous Aggregation", https://arxiv.org/abs/2106.06639, algorithm 1, where a model goes out for every update that comes in).
"""

import numpy as np

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.effects import FOREVER, Gather, Numbers, Refuse, Send
from coterie.federation.federation import Federation
from coterie.federation.flows.post import post
from coterie.federation.messages import TURN, Asked, Model, Update
from coterie.federation.plans import RoundPlan
from coterie.federation.state import RoundState, replace


async def ask(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> None:
    """The holder gives the round's model to those it has asked with it, and to its successor, with all it has to know, its turn."""
    await give(me, federation, state, tuple(node for node, number, _ in state.asked if number == state.round))
    if plan.hand_over_to:
        asked = np.array([(node, number) for node, number, _ in state.asked], np.float32).reshape(-1)
        await post(me, federation, state.view, plan.hand_over_to, Asked(state.round, me, Handle(asked)))
        await post(me, federation, state.view, plan.hand_over_to, Model(state.round, me, state.model, phase=TURN))


async def give(me: NodeId, federation: Federation, state: RoundState, to: tuple[NodeId, ...]) -> None:
    """The round's model for each of `to`; the aggregator's own training takes it from its mailbox like everybody's."""
    model = Model(state.round, me, state.model)
    if me in to:
        await Send((me,), model)
    await post(me, federation, state.view, tuple(node for node in to if node != me), model)


async def take_turn(federation: Federation, state: RoundState, from_: NodeId) -> RoundState:
    """Who is asked now, as the aggregator before says."""
    got = await Gather(Asked, state.round, state.round, frozenset((from_,)), deadline_seconds=federation.patience_seconds)
    if not got or got[0].payload is None:
        return state
    numbers = await Numbers(got[0].payload)
    pairs = [(node, number) for node, number in zip(numbers[::2], numbers[1::2], strict=False) if node < federation.nodes]
    return replace(state, asked=tuple((NodeId(node), number, None) for node, number in pairs if node >= 0 and 0 <= number <= state.round))


async def collect(me: NodeId, federation: Federation, state: RoundState) -> tuple[tuple[Update, ...], RoundState]:
    """As many updates as the schedule wants, of those that came first; whoever's is too old is given the present model in its stead."""
    schedule = federation.schedule
    found: list[Update] = []
    while True:
        pending = {(node, number) for node, number, _ in state.asked}
        need = min(schedule.buffer - len(found), len(pending))
        got = await Gather(
            Update,
            0,
            FOREVER,
            frozenset(node for node, _ in pending),
            need=need,
            most=need,
            deadline_seconds=schedule.deadline_seconds,
            accepts=lambda update, pending=frozenset(pending): (update.origin, update.round) in pending,  # type: ignore[misc]
        )
        late = [update for update in got if update.round < schedule.oldest(state.round)]
        found += [update for update in got if update not in late]
        for update in late:
            await Refuse(update, "stale", f"round {update.round}, now {state.round}")
        trainers = set(federation.planner.candidates(me, state.round, state.view).tolist()) if late else ()
        again = tuple(update.origin for update in late if update.origin in trainers)
        heard = {update.origin for update in got}
        asked = tuple(one for one in state.asked if one[0] not in heard)
        state = replace(state, asked=asked + tuple((node, state.round, None) for node in again))
        if late and not state.asked:  # none of them is to train by now
            state = federation.asking(me, state)
            again = tuple(node for node, _, _ in state.asked)
        await give(me, federation, state, again)
        if len(found) >= schedule.buffer or not again:
            return tuple(found), state
