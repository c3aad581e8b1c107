"""Two hundred federations with schedules, roles and faults of all kinds; `benchmarks/simulation.py` runs any number more.

What fails here is printed as a world: `python benchmarks/simulation.py --world '…'` runs it again and makes it smaller.
"""

import pytest

import worlds
from coterie.environments.faults import FAULTS
from shrinking import shrunk

SEEDS, A_TEST = 200, 20
DRAWN = [worlds.drawn(seed) for seed in range(SEEDS)]
"""Of any roles, schedule and way of sharing; in half of them nodes look after one another."""


@pytest.mark.parametrize("first", range(0, SEEDS, A_TEST))
def test_no_seed_goes_wrong(first):
    found = [(world, problem) for world in DRAWN[first : first + A_TEST] if (problem := worlds.failure(world))]
    assert not found, "\n".join(f"seed {world.seed}: {problem}\n{shrunk(world, 100).text()}" for world, problem in found)


ONCE = (232, 1156, 1801, 3471, 4879, 5056, 7260, 7717, 7811, 10007, 101_479, 103_093, 208_447, 218_655, 223_111, 407_207)
"""Seeds that went wrong, each in a way of its own."""


@pytest.mark.parametrize("seed", ONCE)
def test_what_went_wrong_once_does_not_again(seed):
    assert not worlds.failure(worlds.drawn(seed))


def test_the_seeds_meet_with_every_kind_of_fault_schedule_and_architecture():
    """A target that draws nothing finds nothing."""
    met = set().union(*(worlds.run(world).faults_met for world in DRAWN[:60]))
    assert met == set(FAULTS.names())
    assert {"asynchronous" in world.schedule for world in DRAWN} == {True, False}
    drawn = {world.roles if isinstance(world.roles, str) else "explicit" for world in DRAWN}
    assert drawn == {"centralized", "semi-decentralized", "decentralized", "explicit"}


def test_a_failure_is_made_smaller():
    """As if no node were ever to crash."""

    def crashes(world):
        return "crashes" if worlds.federation_of(world) and worlds.run(world).faults_met["crash"] else ""

    small = shrunk(next(world for world in DRAWN if len(world.faults) > 3 and crashes(world)), 300, crashes)
    assert [one["name"] for one in small.faults] == ["crash"]
    assert small.rounds == 1
    assert small.nodes == 2
