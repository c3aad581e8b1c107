"""One node's part in a federation, round after round.

The life cycle of federated learning: decide, train locally, share, aggregate, download, repeat. A node that holds the
round's model is at work; any other waits to be sent one, which is its invitation (McMahan et al. 2017, algorithm 1, seen
from one participant). Everything sent depends only on the state of the last checkpoint, so that a node that comes back
sends the same again.
"""

from dataclasses import replace

from coterie.core.errors import RunError
from coterie.core.ids import NodeId
from coterie.federation.effects import FOREVER, Checkpoint, Gather, Note, Report, beside, work
from coterie.federation.federation import Federation
from coterie.federation.flows.post import post
from coterie.federation.flows.relay import relay, see_off
from coterie.federation.messages import EXCHANGE, Goodbye, Model, RuleState, ServerState, Update
from coterie.federation.plans import RoundPlan
from coterie.federation.state import RoundState


class NoModel(RunError):
    """Nobody sent the model that this node waited for."""


async def participate(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """The whole of a node's life in a run; the result is its last state."""
    if not federation.relays(me):
        return await rounds(me, federation, state)
    async with beside(relay, me, federation, state.view):
        state = await rounds(me, federation, state)
        await see_off(me, federation, state)
    return state


async def rounds(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Round after round, until the budget is spent; then the final model for those who do not hold it."""
    while await Checkpoint(state) or (federation.everyone and not state.held):
        state = await one_round(me, federation, state)
    if not federation.due(state.round):
        await evaluated(me, federation, state)
    if federation.everyone:
        audience = federation.planner.closing_audience(me, state.round, state.view)
        await post(me, federation, state.view, audience, Model(state.round, me, state.model))
    farewells = federation.planner.farewells(me, state.round, state.view, everyone=federation.everyone)
    await post(me, federation, state.view, farewells, Goodbye(state.round, me))
    return state


async def one_round(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """From one checkpoint to the next: adopt a model, or train, share and aggregate, or exchange."""
    if not state.held:
        return await adopt(me, federation, state)
    plan = federation.plan(me, state.round, state.view)
    if state.mixing:
        return await exchange(me, federation, plan, state)
    if state.round == 0:
        await evaluated(me, federation, state)
    await publish(me, federation, plan, state)
    state = await take_over(federation, plan, state)
    own: tuple[Update, ...] = ()
    if plan.trains:
        alone = plan.keeps and plan.send_to == me and not plan.collect_from  # what it trained is the aggregate
        trained = await work(federation.train(me, state, whole=alone))
        await Note(state.round + 1, trained.facts)
        state = replace(state, client=trained.client)
        if alone:
            return await exchange(me, federation, plan, replace(state, model=trained.update))
        update = Update(state.round, me, trained.update, weight=int(federation.samples[me]))
        if plan.send_to == me:
            own = (update,)
        elif plan.send_to is not None:
            await post(me, federation, state.view, (plan.send_to,), update)
    if plan.collect_from is None:
        return replace(state, round=state.round + 1, held=plan.keeps, server=None, rule=None)
    return await aggregate(me, federation, plan, state, own)


async def adopt(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """Wait for a model of this round or a later one, from whoever holds it, and take the newest."""
    view = state.view
    got = await Gather(
        Model,
        state.round,
        FOREVER,
        federation.publishers(me, view),
        need=1,
        deadline_seconds=federation.patience_seconds,
        accepts=lambda message: federation.holds(message.origin, message.round, view),
    )
    if not got:
        raise NoModel(f"node {me} waited for the model of round {state.round}, but nobody who has it is left or answered in time")
    newest = max(got, key=lambda message: message.round)
    assert newest.payload is not None
    state = replace(state, round=newest.round, model=newest.payload, held=True)
    if state.round and federation.due(state.round):
        await evaluated(me, federation, state)
    return state


async def publish(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> None:
    """A holder sends the model to those who take part, and its server state to its successor."""
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
    return replace(state, server=server[0].payload if server else None, rule=rule[0].payload if rule else None)


async def aggregate(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState, own: tuple[Update, ...]) -> RoundState:
    """Collect the round's updates and make the next model of them; with none at all the model stays as it is."""
    got: tuple[Update, ...] = ()
    if plan.collect_from:
        got = await federation.gather(Update, state.round, plan.collect_from)
    updates = tuple(sorted((*got, *own), key=lambda update: update.origin))
    if updates:
        made = await work(federation.aggregate(me, state, updates))
        await Note(state.round + 1, made.facts)
        state = replace(state, model=made.model, server=made.server, rule=made.rule)
    if plan.exchange_with:
        return replace(state, mixing=True)
    return await next_round(me, federation, state)


async def exchange(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> RoundState:
    """Swap models with fellow aggregators and mix them: gossip averaging (Boyd et al. 2006; Lian et al. 2017)."""
    if plan.exchange_with:
        model = Model(state.round, me, state.model, weight=int(federation.samples[me]), phase=EXCHANGE)
        await post(me, federation, state.view, plan.exchange_with, model)
        got = await federation.gather(Model, state.round, frozenset(plan.exchange_with), EXCHANGE)
        if got:
            mixed = await work(federation.mix(me, state, got))
            await Note(state.round + 1, mixed.facts)
            state = replace(state, model=mixed.model, rule=mixed.rule)
    return await next_round(me, federation, state)


async def next_round(me: NodeId, federation: Federation, state: RoundState) -> RoundState:
    """The head of the next round, with its model in hand."""
    state = replace(state, round=state.round + 1, held=True, mixing=False)
    if federation.due(state.round):
        await evaluated(me, federation, state)
    return state


async def evaluated(me: NodeId, federation: Federation, state: RoundState) -> None:
    """Report how good the model in hand is: for who made it, on the common test set; and on the node's own test part."""
    if federation.holds(me, state.round, state.view):
        await Report(state.round, federation.evaluate(me, state.model, state.round, "common"))
    if federation.tests[me]:
        await Report(state.round, federation.evaluate(me, state.model, state.round, "own"))
