"""Real processes that are stopped, killed, cut off, or out of disk: the run goes on, and ends as if nothing had happened.

Every bound on recovery is counted from when what was broken is whole again to when every node has a further round behind it.
"""

import numpy as np
import pytest

import coterie
import toy
from coterie.federation.membership import Membership
from coterie.federation.roles import Roles
from coterie.runtime.local import LocalFederation, RunFailed
from coterie.scenario.setup import Setup
from coterie.simulator.run import run as simulate
from failing import Disk, Relay, Watched, first_numbers, kept_round, local, may_mount, own_disk, simulated, stopped

NODES, ROUNDS, AT = 4, 40, 6
RUN_SECONDS = 120.0
STOPPED_SECONDS = CUT_SECONDS = FULL_SECONDS = 1.5
AFTER_STOP_SECONDS = 3.0
AFTER_CUT_SECONDS = 5.0
AFTER_SILENCE_SECONDS = 10.0
"""Where a connection is dead and nobody was told; with signs of life every `KEEP_ALIVE_SECONDS` below, in place of every 10 s."""
AFTER_FULL_DISK_SECONDS = 5.0
AFTER_KILL_SECONDS = 10.0
KEEP_ALIVE_SECONDS = 0.5

PROXY = Roles(toy.rule([0, 1]), toy.rule([3]), toy.rule([2]))
WAITING = Membership(interval_seconds=60.0)
"""Nobody goes on without anybody, so that the models must be those of a run in which nothing happened."""
SHAPES = {
    "ring": toy.federation(NODES, "ring", "decentralized", membership=WAITING),
    "star": toy.federation(NODES, "star", membership=WAITING),
    "proxy": toy.federation(NODES, "edges", topology_params={"pairs": [[0, 2], [1, 2], [2, 3]]}, roles=PROXY, membership=WAITING),
}


@pytest.mark.parametrize(("shape", "place"), [("ring", 2), ("star", 0), ("proxy", 2)])
def test_a_node_that_stands_still_for_a_while(shape, place):
    with Watched(local(SHAPES[shape], ROUNDS), NODES) as processes:
        results = processes.outcome(AT, lambda: stopped(processes, place, STOPPED_SECONDS), RUN_SECONDS)
    assert first_numbers(results) == simulated(SHAPES[shape], ROUNDS)
    assert processes.recovered_after < AFTER_STOP_SECONDS


def quick_signs_of_life(_):
    from coterie.runtime.transport import tls

    tls.KEEP_ALIVE_SECONDS = tls.KEEP_ALIVE_PATIENCE_SECONDS = KEEP_ALIVE_SECONDS


@pytest.mark.parametrize(("how", "bound"), [("cut", AFTER_CUT_SECONDS), ("hold", AFTER_CUT_SECONDS), ("swallow", AFTER_SILENCE_SECONDS)])
def test_a_link_that_is_cut_and_healed(how, bound, tmp_path):
    relay = Relay()  # nobody but node 2 dials node 1
    processes = Watched(
        local(SHAPES["ring"], ROUNDS), NODES, tmp_path, quick_signs_of_life, dialled=lambda place, own: relay.address if place == 1 else own
    )
    relay.before(processes.addresses[1])

    def cut():
        relay.do(how)
        processes.later(0 if how == "swallow" else CUT_SECONDS, lambda: relay.do("heal"))

    try:
        with processes:
            results = processes.outcome(AT, cut, RUN_SECONDS)
    finally:
        relay.end()
    assert first_numbers(results) == simulated(SHAPES["ring"], ROUNDS)
    assert processes.recovered_after < bound


FULL = 2
"""Whose disk it is."""


def a_small_disk(folder):
    if folder.name == f"node-{FULL}":
        own_disk(folder, 64)


@pytest.fixture
def folder(tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("this user may not mount a file system of its own")
    return tmp_path


def test_a_full_disk_makes_a_node_wait_and_say_so(folder):
    with Watched(local(SHAPES["ring"], ROUNDS), NODES, folder, a_small_disk) as processes:
        disk = Disk(processes.pid(FULL), processes.folder_of(FULL))
        kept = []

        def fill():
            disk.fill()
            processes.later(FULL_SECONDS, look_and_empty)

        def look_and_empty():
            try:
                kept.append(kept_round(disk.folder / f"node-{FULL}.checkpoint"))
            finally:
                disk.empty()

        results = processes.outcome(AT, fill, RUN_SECONDS)
    assert first_numbers(results) == simulated(SHAPES["ring"], ROUNDS)
    assert kept[0] >= AT  # the last one that there was room for is whole
    told = [event for event in processes.events if event[0] == "troubled" and event[1] == (FULL,)]
    assert any("no room on its disk" in problem and "No space left" in problem for *_, problem in told)
    assert len(told) > 2  # others show it, too
    assert not told[-1][2]
    assert processes.recovered_after < AFTER_FULL_DISK_SECONDS


def test_a_node_that_cannot_begin_for_want_of_room_says_why(folder):
    def no_disk(own):
        a_small_disk(own)
        if own.name == f"node-{FULL}":
            Disk("self", own).fill()

    with Watched(local(SHAPES["ring"], ROUNDS), NODES, folder, no_disk) as processes, pytest.raises(RunFailed, match="No space left"):
        processes.results(RUN_SECONDS)


@pytest.mark.parametrize(
    ("shape", "places"), [("star", [3]), ("proxy", [2]), ("ring", [1]), ("ring", [0, 1, 2, 3]), ("star", [0, 1, 2, 3])]
)
def test_processes_that_are_killed_come_back(shape, places, tmp_path):
    with Watched(local(SHAPES[shape], ROUNDS), NODES, tmp_path) as processes:

        def kill():
            for place in places:
                processes.kill(place)
            for place in places:
                processes.restart(place)
            processes.mended()

        results = processes.outcome(AT, kill, RUN_SECONDS)
    assert first_numbers(results) == simulated(SHAPES[shape], ROUNDS)
    assert processes.recovered_after < AFTER_KILL_SECONDS


AFTER_LOSS_SECONDS = 10.0
LOST = Membership(interval_seconds=0.1, deadline_seconds=20.0)


@pytest.mark.parametrize("architecture", ["semi-decentralized", "decentralized"])
def test_without_a_node_that_is_lost_for_good_the_others_go_on(architecture, tmp_path):
    shape = toy.federation(NODES, "full", architecture, membership=LOST, hands_over=architecture != "decentralized")
    with Watched(local(shape, ROUNDS), NODES, tmp_path) as processes:

        def lose():
            processes.lose(2)
            del processes.rounds[2]
            processes.mended()

        results = processes.outcome(AT, lose, RUN_SECONDS)
    assert {results[node].rounds for node in (0, 1, 3)} == {ROUNDS}
    assert processes.recovered_after < AFTER_LOSS_SECONDS
    gone = {(event[1], event[2]) for event in processes.events if event[0] == "happened"}
    assert gone, "nobody said so"


FEDADAM = coterie.Scenario(
    task={"dataset": "digits", "model": {"name": "mlp", "hidden": [8]}},
    nodes=NODES,
    seed=7,
    until=2 * ROUNDS,
    engine="exact",
    architecture="centralized",
    algorithm="fedadam",
    membership={"interval_seconds": 60},
    training={"batch_size": 32, "optimizer": {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}},
)


def test_a_killed_aggregator_goes_on_with_the_round_and_the_optimizer_that_it_had(tmp_path):
    uninterrupted = simulate(FEDADAM, out=tmp_path / "run").folder.models().vector(0)
    with Watched(LocalFederation.of(Setup(FEDADAM)), NODES, tmp_path / "nodes") as processes:
        began = []

        def kill():
            began.append(len(processes.events))
            processes.kill(0)
            processes.restart(0)
            processes.mended()

        results = processes.outcome(4, kill, RUN_SECONDS)
    for result in results.values():
        assert result.rounds == FEDADAM.until.rounds
        np.testing.assert_array_equal(result.vector[: uninterrupted.size], uninterrupted)
    after = [event[2] for event in processes.events[began[0] :] if event[:2] == ("round", 0)]
    assert min(after) >= 4  # no round that was closed was begun again
    assert processes.recovered_after < AFTER_KILL_SECONDS
