"""Where what is thought of others changes who is asked, and is told to neighbours."""

from dataclasses import replace

from coterie.core.ids import NodeId
from coterie.federation.effects import Gather, Inspect
from coterie.federation.federation import Federation
from coterie.federation.flows.post import post
from coterie.federation.messages import Model, RuleState
from coterie.federation.plans import RoundPlan
from coterie.federation.state import RoundState


async def invited(federation: Federation, plan: RoundPlan, state: RoundState) -> RoundPlan:
    """The plan of an aggregator, or of the one before it, without those trainers that are not to be asked in this round.

    Both know whom from the same state, which the one hands over to the other. A barrier: it changes whom one sends to.
    """
    if federation.uninvited is None or state.rule is None or not (plan.publish_to or plan.collect_from):
        return plan
    out = federation.uninvited(await Inspect(state.rule), state.round)
    out -= set(federation.planner.table(state.round, state.view).aggregators.tolist())
    publish_to = tuple(node for node in plan.publish_to if node not in out)
    return replace(plan, publish_to=publish_to, collect_from=None if plan.collect_from is None else plan.collect_from - out)


async def tell(me: NodeId, federation: Federation, plan: RoundPlan, state: RoundState) -> None:
    """Neighbours are told what `me` thinks of others, before they get its model."""
    if federation.opinions:
        await post(me, federation, state.view, plan.exchange_with, RuleState(state.round, me, state.rule))


async def opinions_on(federation: Federation, state: RoundState, models: tuple[Model, ...]) -> tuple[RuleState, ...]:
    """What those whose models have come think of others."""
    if not federation.opinions or not models:
        return ()
    origins = frozenset(model.origin for model in models)
    return await Gather(RuleState, state.round, state.round, origins, deadline_seconds=federation.schedule.deadline_seconds)
