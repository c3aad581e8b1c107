"""What a detection or a reputation cannot do in a federation."""

from collections.abc import Iterator

from coterie.core.errors import Fault
from coterie.scenario.protection import gatherings, named
from coterie.scenario.setup import Setup
from coterie.trust.detection import FEWEST
from coterie.trust.guard import Guard

BY_PLACE = frozenset({"foolsgold", "sentinel"})
"""Rules that remember updates by their place among the others."""


def faults(setup: Setup) -> Iterator[Fault]:
    """What a detection or a reputation cannot do here."""
    guard, rule = setup.guard, setup.rule
    if guard is None:
        return
    place = "detection" if setup.scenario.detection is not None else "trust"
    if setup.schedule.mixing is not None or setup.planner.sharing.pairwise or setup.federation.averages:
        problem = "here models are taken in one by one, as they come, and there are no others to hold one against"
        yield Fault(place, problem, "write schedule: {name: asynchronous, buffer: 8}, or another schedule or sharing")
        return
    if guard.detection.action == "down-weight" and not rule.weighted:
        yield Fault("detection.action", f"{rule.name} does not look at weights", "write action: cut, or choose another rule")
    if rule.name in BY_PLACE and (guard.reputation is not None or guard.detection.action == "cut"):
        problem = f"{rule.name} remembers updates by their place among the others, and some would be taken out"
        yield Fault(place, problem, "write detection: flag and no trust, or choose another rule")
    yield from _opinions(setup, guard)
    counts = [one for one in gatherings(setup) if one.most < FEWEST]
    if counts and len(counts) == len(gatherings(setup)):
        most = max(one.most for one in counts)
        problem = f"at most {most} {counts[0].what} come together, and of fewer than {FEWEST} nobody can say which stands out"
        yield Fault(place, problem, "add neighbours or nodes, or leave it out")


def _opinions(setup: Setup, guard: Guard) -> Iterator[Fault]:
    """Whom to ask and whom to listen to, where there is nobody."""
    reputation = guard.reputation
    if reputation is not None and reputation.links is not None and not setup.coupled:
        yield Fault(
            "trust.links", "only nodes that mix models have links to choose among", "leave it out, or write architecture: decentralized"
        )
    alone = setup.roles.aggregator.at_a_time == 1
    if guard.chooses and (setup.coupled or setup.schedule.asynchronous or not alone):
        problem = "whom to ask is for one aggregator to say, in rounds"
        yield Fault("trust.asked_every", problem, "leave it out, or write one aggregator and schedule: synchronous")
    if reputation is None or not guard.hears:
        return
    name = setup.scenario.trust.name if setup.scenario.trust is not None else ""
    if not setup.coupled or setup.schedule.asynchronous:
        problem = f"{name} asks for what others think, and only nodes that mix models in common rounds tell each other"
        yield Fault("trust", problem, "write architecture: decentralized and schedule: synchronous, or trust: beta")
    elif "history" in setup.rule.inputs:
        problem = f"opinions travel with the state of the rule, and that of {setup.rule.name} is no business of others"
        yield Fault("trust.opinions", problem, "write opinions: 0, or choose a rule without a state")


def blind(setup: Setup) -> Iterator[str]:
    """Where nothing can ever stand out, in words."""
    if setup.guard is None:
        return
    few = tuple(sorted({one.node for one in gatherings(setup) if one.fewest < FEWEST}))
    if few:
        verb = "gets" if len(few) == 1 else "get"
        yield f"{named(few)} {verb} fewer than {FEWEST} at a time, of which none stands out: they are watched by their rule alone"
