"""A simulator with attackers among its nodes."""

from coterie.adversaries.adversary import Adversary
from coterie.attacks.attack import DataAttack
from coterie.scenario.setup import Setup
from coterie.simulator.simulator import Simulator


def attacked(simulator: Simulator, setup: Setup) -> Simulator:
    """`simulator` with the attackers of the scenario between it and its nodes, where there are any."""
    if not setup.plots:
        return simulator
    probed = any(isinstance(plot.thing, DataAttack) and plot.thing.params.get("target") is not None for plot in setup.plots)
    simulator.driver = Adversary(simulator, setup.federation, setup.plots, setup.scenario.seed, probed=probed)
    simulator.unheard = setup.attackers if setup.coupled else frozenset()
    return simulator
