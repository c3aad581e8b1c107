"""One node's part in a federation, round after round.

The life cycle of federated learning: decide, train locally, share, aggregate, download, repeat. A node that holds the
round's model is at work; any other waits to be sent one, which is its invitation (McMahan et al. 2017, algorithm 1, seen
from one participant). Everything sent depends only on the state of the last checkpoint, so that a node that comes back
sends the same again. Synchronous, semi-synchronous and asynchronous federations go through the same steps: what differs is whom
a plan names and when the schedule lets a gather close; an asynchronous aggregator counts its own models as rounds.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

from coterie.core.errors import RunError
from coterie.core.ids import NodeId
from coterie.federation.effects import FOREVER, Around, Checkpoint, Event, Flow, FlowFailed, Gather, Note, Refuse, beside, work
from coterie.federation.federation import Federation
from coterie.federation.flows.asking import ask, collect, take_turn
from coterie.federation.flows.average import averaging
from coterie.federation.flows.catching_up import caught_up, helping, joined
from coterie.federation.flows.evaluate import evaluated
from coterie.federation.flows.forward import forward
from coterie.federation.flows.heartbeat import heartbeat
from coterie.federation.flows.learn import learn
from coterie.federation.flows.post import post
from coterie.federation.flows.relay import relay, see_off
from coterie.federation.flows.succession import announce, succession
from coterie.federation.flows.trusting import invited, opinions_on, tell
from coterie.federation.flows.waiting import enough, heard_again, settled
from coterie.federation.membership import GaveUp
from coterie.federation.messages import EXCHANGE, LAST, TURN, UPDATES, Goodbye, Model, RuleState, ServerState, Update
from coterie.federation.plans import RoundPlan
from coterie.federation.presence import away
from coterie.federation.state import Learner, RoundState, replace
from coterie.federation.succession import Ballot

Beside = AbstractAsyncContextManager[None]


class NoModel(RunError):
    """Nobody sent the model that this node waited for."""


async def participate(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """The whole of a node's life in a run; the result is its last state."""
    if federation.membership is None:
        return await part(me, federation, state)
    async with beside(heartbeat, me, federation, ()):
        if federation.succeeds:
            return await with_succession(me, federation, state)
        if not federation.catches_up:
            return await part(me, federation, state)
        async with beside(helping, me, federation, state.view):
            return await part(me, federation, state)


async def with_succession(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Where aggregators are replaced. Raises GaveUp where no majority can agree on it for too long."""
    try:
        async with beside(succession, me, federation, Ballot(state.view.term, claimed=state.claimed)):
            return await part(me, federation, state)
    except FlowFailed as failure:
        if isinstance(failure.__cause__, GaveUp):
            raise failure.__cause__ from None
        raise


async def part(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """All rounds; whoever may forward stays for those behind it."""
    if not federation.relays(me):
        state = await life(me, federation, state)
        await stay(me, federation, state)
        return state
    async with beside(relay, me, federation, state.view):
        state = await life(me, federation, state)
        await see_off(me, federation, state)
        await stay(me, federation, state)
    return state


async def stay(me: NodeId, federation: Federation, state: RoundState) -> None:
    """Where nodes fail, until all who are there have finished, too: somebody who is behind may need something."""
    if federation.membership is not None and not federation.leaves(me, state):
        seconds = federation.membership.deadline_seconds
        await Gather(Goodbye, 0, FOREVER, frozenset(federation.peers(me)), deadline_seconds=seconds)
        if federation.succeeds:
            await settled(federation, state)


async def life(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Round after round, until the budget is spent; then the final model for those who do not hold it, and goodbye."""
    if federation.averages:
        state = await averaging(me, federation, state)
    elif federation.learns_beside(me):
        async with beside(learn, me, federation, Learner(state.client, state.view)):
            state = await rounds(me, federation, state)
    else:
        state = await rounds(me, federation, state)
    if not federation.due(state.round):
        await evaluated(me, federation, state)
    phase = LAST if federation.schedule.asynchronous else UPDATES
    await post(me, federation, state.view, federation.closing_audience(me, state), Model(state.round, me, state.model, phase=phase))
    farewells = federation.farewells(me, state)
    await post(me, federation, state.view, farewells, Goodbye(state.round, me))
    return state


async def rounds(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Round after round, until the budget is spent."""
    stays = federation.everyone or (federation.asks and federation.forwards(me))
    only_waits = not federation.forwards(me)
    while await Checkpoint(state, waits=only_waits and not state.held) or (stays and not state.held):
        if federation.leaves(me, state):
            break
        state = await one_round(me, federation, state)
    return state


async def one_round(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """From one checkpoint to the next: adopt a model, or train, share and aggregate, or exchange."""
    if not state.held:
        return await uninvited(me, federation, state)
    plan = federation.plan(me, state.round, state.view)
    if federation.uninvited is not None:
        plan = await invited(federation, plan, state)
    if federation.membership is not None and (other := await looked_around(me, federation, state)) is not state:
        return other
    if state.mixing:
        return await exchange(me, federation, plan, state)
    if state.round == 0:
        await evaluated(me, federation, state)
    await publish(me, federation, plan, state)
    if plan.collect_from is not None:
        state = await take_over(federation, plan, state)
        if plan.take_over_from is not None:
            plan = await invited(federation, plan, state)
        return await aggregator_part(me, federation, plan, state)
    return await trainer_part(me, federation, plan, state)


async def trainer_part(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> RoundState:
    """The round of a node that does not aggregate in it: it trains, if it does, for who does."""
    if plan.trains and not federation.learns_beside(me):
        if not plan.hand_over_to:
            state, update = await trained(me, federation, state)
        else:
            async with forwarding(me, federation, state, state.round):
                state, update = await trained(me, federation, state)
        if plan.send_to is not None:
            await post(me, federation, state.view, (plan.send_to,), update)
        if federation.succeeds:
            state = replace(state, update=update.payload)
    return replace(state, round=state.round + 1, held=plan.keeps, server=None, rule=None, asked=())


async def uninvited(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Without a round's model: wait for one."""
    if federation.succeeds:
        await send_again(me, federation, state)
    elif federation.catches_up:
        return await joined(me, federation, state)
    if not federation.forwards(me):
        return await adopt(me, federation, state)
    async with forwarding(me, federation, state, state.round - 1):
        return await adopt(me, federation, state)


async def looked_around(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Where nodes fail, whether the round of `state` can begin: that state, once there are enough nodes for it, or another in its place."""
    if federation.catches_up:
        later = await caught_up(me, federation, state)
        if later is not state:
            return later
    if state.mixing or not federation.holds(me, state.round, state.view):
        return state
    if state.round == state.view.round:
        await announce(me, federation, state)
    return state if await enough(me, federation, state) else replace(state, held=False, server=None, rule=None)


async def aggregator_part(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> RoundState:
    """An aggregator's round: it may train, too, for itself or for another."""
    own: tuple[Update, ...] = ()
    if plan.trains and not federation.learns_beside(me):
        alone = plan.keeps and plan.send_to == me and not plan.collect_from  # what it trained is the aggregate
        if state.update is None:
            state, update = await trained(me, federation, state, whole=alone)
        else:  # of this very round, which began anew with another aggregator
            update, state = made(me, federation, state, state.round), replace(state, update=None)
        if alone:
            assert update.payload is not None
            return await exchange(me, federation, plan, replace(state, model=update.payload))
        if plan.send_to == me:
            own = (update,)
        elif plan.send_to is not None:
            await post(me, federation, state.view, (plan.send_to,), update)
    return await aggregate(me, federation, plan, state, own)


def made(me: NodeId, federation: Federation, state: RoundState, number: int) -> Update:
    """The update of round `number` that `me` has made before."""
    return Update(number, me, state.update, weight=int(federation.samples[me]))


async def send_again(me: NodeId, federation: Federation, state: RoundState) -> None:
    """The update that `me` had made for an aggregator that has gone, if it did, to who aggregates in its place."""
    if state.again:
        await post(me, federation, state.view, (state.view.holder,), made(me, federation, state, state.view.round))


async def trained(me: NodeId, federation: Federation, state: RoundState, *, whole: bool = False) -> tuple[RoundState, Update]:
    """Local training from the model in hand. whole: the model itself in place of its change, as FedAsync wants of all."""
    whole = whole or federation.schedule.mixing is not None
    made = await work(federation.train(me, state, whole=whole))
    await Note(state.round + 1, made.facts)
    if federation.remembers:
        state = replace(state, client=made.client)
    return state, Update(state.round, me, made.update, weight=int(federation.samples[me]))


async def adopt(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Wait for a model of this round or a later one, from whoever holds it, and take the newest.

    Whose training runs beside takes only a model that is for an aggregator: when it is its turn, and the last.
    """
    got = await invitation(me, federation, state, need=1)
    while not got and federation.membership is not None:
        got = await heard_again(me, federation, state, invitation(me, federation, state, need=0))
        got = got or await invitation(me, federation, state, need=1)
    if not got:
        raise NoModel(f"node {me} waited for the model of round {state.round}, but nobody who has it is left or answered in time")
    newest = max(got, key=lambda message: message.round)
    assert newest.payload is not None
    state = replace(
        state, round=newest.round, model=newest.payload, held=True, update=None, again=False, has=(state.view.term, newest.round)
    )
    if newest.phase == TURN:
        state = await take_turn(federation, state, newest.origin)
    if state.round and federation.due(state.round):
        await evaluated(me, federation, state)
    return state


def invitation(me: NodeId, federation: Federation, state: RoundState, *, need: int) -> Gather[Model]:
    """Wait for so many models of this round or a later one."""
    view, latest, watched = state.view, federation.next_part(me, state), federation.membership is not None
    return Gather(
        Model,
        state.round,
        FOREVER,
        federation.publishers(me, view),
        need=need,
        deadline_seconds=FOREVER if watched else federation.patience_seconds,
        accepts=lambda message: message.round <= latest and federation.may_publish(message.origin, message.round, view),
        phase=(TURN, LAST) if federation.learns_beside(me) else (UPDATES, TURN, LAST),
        awaited=federation.expected(me, state) if watched else None,
    )


async def publish(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> None:
    """A holder sends the model to those who take part, and its server state to its successor."""
    if federation.asks and federation.holds(me, state.round, state.view):
        await ask(me, federation, plan, state)
    if plan.publish_to:
        await post(me, federation, state.view, plan.publish_to, Model(state.round, me, state.model))
    if plan.hand_over_to and federation.hands_over:
        await post(me, federation, state.view, plan.hand_over_to, ServerState(state.round, me, state.server))
        await post(me, federation, state.view, plan.hand_over_to, RuleState(state.round, me, state.rule))


async def take_over(federation: Federation, plan: RoundPlan, state: RoundState) -> RoundState:
    """A new aggregator takes the server state from the one before it."""
    if plan.take_over_from is None or not federation.hands_over:
        return state
    sender, deadline = frozenset((plan.take_over_from,)), federation.schedule.deadline_seconds
    server = await Gather(ServerState, state.round, state.round, sender, deadline_seconds=deadline)
    rule = await Gather(RuleState, state.round, state.round, sender, deadline_seconds=deadline)
    if not server:
        await Event("starts anew", f"the server state of node {plan.take_over_from} has not come")
    return replace(state, server=server[0].payload if server else None, rule=rule[0].payload if rule else None)


async def aggregate(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState, own: tuple[Update, ...]) -> RoundState:
    """Collect the round's updates and make the next model of them; with none at all the model stays as it is."""
    got: tuple[Update, ...] = ()
    if federation.asks:
        got, state = await collect(me, federation, state)
    elif plan.collect_from or federation.schedule.staleness_rounds:
        got = await federation.gather_updates(me, state, plan)
    updates = tuple(sorted((*got, *own), key=lambda update: (update.origin, update.round)))
    if federation.schedule.mixing is not None:
        for update in updates:
            share = federation.schedule.mixing * federation.schedule.share(state.round, update.round)
            shifted = await work(federation.shift(me, state, update, state.model, share))
            await Note(state.round + 1, shifted.facts)
            state = replace(state, model=shifted.model)
    elif updates:
        made = await work(federation.aggregate(me, state, updates))
        await Note(state.round + 1, made.facts)
        state = replace(state, model=made.model, server=made.server, rule=made.rule)
    if plan.exchange_with or plan.exchange_from:
        return replace(state, mixing=True)
    return await next_round(me, federation, state)


async def exchange(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> RoundState:
    """Swap models with fellow aggregators and mix them: gossip averaging (Boyd et al. 2006; Lian et al. 2017)."""
    model = Model(state.round, me, state.model, weight=int(federation.samples[me]), phase=EXCHANGE)
    await tell(me, federation, plan, state)
    await post(me, federation, state.view, plan.exchange_with, model)
    if plan.exchange_from:
        got = newest_of_each(await federation.gather_models(me, state, plan))
        if federation.schedule.asynchronous:
            state = replace(state, unheard=0 if got else state.unheard + 1)
            got = await in_time(federation, state, got)
        if got:
            mixed = await work(federation.mix(me, state, got, await opinions_on(federation, state, got)))
            await Note(state.round + 1, mixed.facts)
            state = replace(state, model=mixed.model, rule=mixed.rule)
    return await next_round(me, federation, state)


async def in_time(federation: Federation, state: RoundState, models: tuple[Model, ...]) -> tuple[Model, ...]:
    """Those that are not too many rounds behind."""
    oldest = federation.schedule.oldest(state.round)
    for late in (model for model in models if model.round < oldest):
        await Refuse(late, "stale", f"round {late.round}, now {state.round}")
    return tuple(model for model in models if model.round >= oldest)


def newest_of_each(models: tuple[Model, ...]) -> tuple[Model, ...]:
    """The newest model of each origin: unlike updates, models replace one another. In order of origin, as they come."""
    return tuple({model.origin: model for model in models}.values())


async def next_round(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """The head of the next round, with its model in hand."""
    state = replace(state, round=state.round + 1, held=True, mixing=False, has=(state.view.term, state.round + 1))
    if federation.asks:
        gone = away(await Around()) if federation.membership is not None else ()
        state = federation.asking(me, state, tuple(gone))
    if federation.due(state.round):
        await evaluated(me, federation, state)
    return state


def forwarding(me: NodeId, federation: Federation, state: RoundState, number: int) -> Beside:
    """While it is open, updates of rounds before `number`, whose model `me` has handed over, are handed on."""
    if number < 1 or not federation.forwards(me):
        return nullcontext()
    return beside(forward, me, federation, (number, state.view))


FLOWS: dict[str, Callable[..., Flow[Any]]] = {
    flow.__name__: flow for flow in (participate, relay, learn, forward, heartbeat, helping, succession)
}
"""Flows that may be in a checkpoint, by name; each takes (me, federation, state)."""
