"""Jobs wait until somebody looks, and are then run level by level in the largest groups there are."""

import numpy as np
import pytest

import toy
from coterie.federation.budget import Budget
from coterie.simulator.network import Network
from coterie.simulator.simulator import Simulator
from coterie.simulator.work import JobGraph


class Counting(toy.ToyExecutor):
    """Notes how many trainings come at a time."""

    def __init__(self):
        self.batches = []

    def run(self, jobs):
        for handle in (handle for job in jobs for handle in job.inputs if handle is not None):
            assert handle.value is not None, "a job ran before its input was there"
        trained = sum(job.function == "train" for job in jobs)
        if trained:
            self.batches.append(trained)
        super().run(jobs)


def trained_at_a_time(federation, rounds, window):
    executor = Counting()
    run = Simulator(federation, toy.initial(), JobGraph(executor, window), budget=Budget(rounds), recorder=toy.Silent(), network=Network())
    run.start()
    run.run()
    assert sum(executor.batches) == federation.nodes * rounds
    return toy.results(run), executor.batches


@pytest.mark.parametrize(("topology", "architecture"), [("ring", "decentralized"), ("star", "centralized")])
def test_a_slow_node_does_not_split_the_batches(topology, architecture):
    seconds = np.full(64, 0.1)
    seconds[7] = 0.4
    federation = toy.federation(64, topology, architecture, seconds=seconds)
    results, batches = trained_at_a_time(federation, 10, window=10**9)
    assert batches == [64] * 10
    narrow, some = trained_at_a_time(federation, 10, window=50)
    assert narrow == results
    assert max(some) < 64


def test_values_are_freed_with_their_last_use():
    """In a long run no more models are alive than its nodes, their messages and the window need."""
    import gc

    federation = toy.federation(8, "ring", "decentralized")
    run = toy.simulator(federation, 60, window=20)
    run.start()
    most = 0
    while run.heap:
        due = run.events + 200
        run.run(until=lambda due=due: run.events >= due)
        gc.collect()
        alive = sum(type(found).__name__ == "Handle" and found.value is not None for found in gc.get_objects())
        most = max(most, alive)
    assert 0 < most < 8 * 20
