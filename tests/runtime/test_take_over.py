"""An aggregator that moves is killed in the middle of its round, the next one takes over, and the one that was killed comes back.

A model here is a ledger: a number for each node and round, how often that node's update of that round is in it.
"""

import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

import toy
from coterie.core.ids import NodeId
from coterie.federation.membership import Membership
from coterie.federation.messages import Model, ServerState, Update
from coterie.runtime.local import LocalFederation
from failing import VECTORS, Watched

NODES, ROUNDS, AT, AWAY = 4, 40, 6, 5
"""The aggregator of round `AT` is killed, and comes back when the others have gone on for `AWAY` rounds."""
RUN_SECONDS, AFTER_RETURN_SECONDS = 120.0, 10.0
LEDGER = dict.fromkeys((Update, Model, ServerState), NODES * ROUNDS)
SHAPE = replace(
    toy.federation(
        NODES, "full", "semi-decentralized", membership=Membership(interval_seconds=0.25, deadline_seconds=60.0), hands_over=True
    ),
    sizes=LEDGER,
)


class Ledger(toy.ToyExecutor):
    """Enters updates; whoever aggregates round `AT` for the first time says so, and never comes to an end."""

    struck = Path()

    def run(self, jobs):
        time.sleep(0.01)
        (job,) = jobs
        if job.function == "train":
            job.outputs.update.value = np.zeros(NODES * ROUNDS, np.float32)
            job.outputs.update.value[job.round * NODES + job.node] = 1
            job.outputs.client.value, job.outputs.facts.value = np.empty(0, np.float32), {"samples": 1, "steps": 1}
        elif job.function == "aggregate":
            if job.round == AT and not self.struck.exists():
                self.struck.write_text(str(job.node))
                time.sleep(3600)
            job.outputs.model.value = np.sum([job.inputs[0].value, *(handle.value for handle in job.inputs[3:])], axis=0, dtype=np.float32)
            job.outputs.server.value, job.outputs.rule.value = np.zeros(NODES * ROUNDS, np.float32), np.empty(0, np.float32)
            job.outputs.facts.value = {}
        else:
            super().run(jobs)


def test_an_aggregator_that_was_killed_comes_back_as_a_trainer_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(Ledger, "struck", tmp_path / "struck")
    (victim,) = SHAPE.planner.table(AT).aggregators.tolist()
    what = LocalFederation(SHAPE, np.zeros(NODES * ROUNDS, np.float32), ROUNDS, Ledger, VECTORS)
    with Watched(what, NODES, tmp_path / "nodes") as processes:
        del processes.rounds[victim]

        def kill():
            while not Ledger.struck.exists():
                time.sleep(0.01)
            processes.kill(victim)

        def come_back():
            processes.restart(victim)
            processes.rounds[victim] = AT
            processes.mended()

        killing = threading.Thread(target=kill)
        killing.start()
        results = processes.outcome(AT + AWAY, come_back, RUN_SECONDS)
        killing.join()
    assert Ledger.struck.read_text() == str(victim)
    assert {result.rounds for result in results.values()} == {ROUNDS}
    ledger = results[0].vector.reshape(ROUNDS, NODES)
    for result in results.values():
        np.testing.assert_array_equal(result.vector.reshape(ROUNDS, NODES), ledger)  # no round has two models
    others = [node for node in range(NODES) if node != victim]
    np.testing.assert_array_equal(ledger[:, others], 1)  # each update of those who were there is in the model once
    np.testing.assert_array_equal(ledger[:AT, victim], 1)
    away = np.flatnonzero(ledger[:, victim] == 0)
    assert ledger[:, victim].max() == 1
    assert AWAY - 1 <= len(away) < ROUNDS - AT
    np.testing.assert_array_equal(away, np.arange(away[0], away[-1] + 1))  # and from when it is back, it trains in every round
    assert processes.recovered_after < AFTER_RETURN_SECONDS
    happened = [event for event in processes.events if event[0] == "happened"]
    assert any(event[2] == "takes over" and event[1] in others for event in happened)
    aggregated = {event[1] for event in processes.events if event[0] == "job" and event[2] == "aggregate" and event[3] > away[-1]}
    assert NodeId(victim) in aggregated, "its turn never came again"
