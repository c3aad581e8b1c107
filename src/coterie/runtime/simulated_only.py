"""What a scenario may say that only a simulation can bring about: refused where it would change the outcome, else said to be left out."""

from collections.abc import Iterator

from coterie.core.errors import Fault
from coterie.scenario.scenario import Scenario

CONDITIONS = ("environment", "network", "device")
"""Settings of simulated time: real processes have the machines and the network that there are."""


def faults(scenario: Scenario) -> Iterator[Fault]:
    """Why real nodes cannot run `scenario`."""
    until = scenario.until
    if until.target is not None or until.converged is not None:
        yield Fault("until", "nobody sees all nodes' metrics in a federation of processes", "write until: {rounds: …}")
    if until.virtual_seconds is not None:
        yield Fault("until.virtual_seconds", "real processes have no virtual time", "write until: {rounds: …}, or use coterie run")
    if scenario.availability.name != "always":
        yield Fault("availability", "real processes are there all the time", "write availability: always, or use coterie run")
    if scenario.attacks:
        fix = "leave them out, or use coterie run"
        yield Fault("attacks", "are played in simulations only: real nodes do not agree on who of them is to cheat", fix)
    if scenario.faults is not None:
        yield Fault("faults", "are injected into simulations only", "leave them out, or use coterie run")


def left_out(scenario: Scenario) -> str:
    """In words, which of its settings real nodes take no notice of; empty where there are none."""
    own, plain = scenario.resolved(), Scenario(task=scenario.task.dataset.name).resolved()
    named = [name for name in CONDITIONS if own[name] != plain[name]]
    if not named:
        return ""
    return (
        f"Of the scenario, {', '.join(named)} {'is' if len(named) == 1 else 'are'} not used: these are real processes and a real network."
    )
