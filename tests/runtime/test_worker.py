"""Jobs in a process of their own give what jobs in this one give, and what goes wrong there is told here."""

import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import toy
from coterie.core.errors import ScenarioError
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, JobFailed
from coterie.federation.messages import Update
from coterie.runtime.worker import Worker, WorkerDied

SHAPE = toy.federation(3, "star")


def jobs():
    state = SHAPE.initially(NodeId(0), Handle(np.arange(toy.NUMBERS, dtype=np.float32)))
    updates = tuple(Update(0, NodeId(node), Handle(np.full(toy.NUMBERS, node, np.float32)), weight=1) for node in (1, 2))
    return [SHAPE.train(NodeId(1), state, whole=False), SHAPE.aggregate(NodeId(0), state, updates)]


def values(of):
    return [handle.value for job in of for handle in job.outputs]


class Failing(toy.ToyExecutor):
    def run(self, jobs):
        raise JobFailed("the data are gone")


class Dying(toy.ToyExecutor):
    def run(self, jobs):
        os.kill(os.getpid(), signal.SIGKILL)


class Sleeping(toy.ToyExecutor):
    def run(self, jobs):
        time.sleep(60)


def test_results_are_those_of_the_same_process():
    here, there = jobs(), jobs()
    toy.ToyExecutor().run(here)
    worker = Worker(toy.ToyExecutor)
    worker.run(there)
    worker.close()
    assert not worker.process.is_alive()
    for expected, found in zip(values(here), values(there), strict=True):
        np.testing.assert_equal(found, expected)


def test_a_failed_job_is_told_with_its_traceback_and_the_worker_lives_on():
    worker = Worker(Failing)
    for _ in range(2):
        with pytest.raises(JobFailed, match=r"(?s)the data are gone.*Traceback"):
            worker.run(jobs())
    worker.close()


def test_a_worker_that_is_killed_is_told_in_words():
    worker = Worker(Dying)
    with pytest.raises(WorkerDied, match="signal 9"):
        worker.run(jobs())
    worker.close()


def test_faults_of_the_scenario_come_through():
    def make():
        raise ScenarioError.at("device", "there is none", "use cpu")

    with pytest.raises(ScenarioError, match="use cpu"):
        Worker(make)


def test_a_job_under_way_can_be_ended():
    worker = Worker(Sleeping)
    (working,) = children(worker.process.pid)
    threading.Timer(0.1, worker.kill).start()
    with pytest.raises(WorkerDied, match="signal 9"):
        worker.run(jobs())
    worker.close()
    assert not worker.process.is_alive()
    wait_for(lambda: not Path(f"/proc/{working}").exists())


class Where(toy.ToyExecutor):
    """Writes down in which process jobs run."""

    def __init__(self, file):
        super().__init__()
        self.file = file

    def run(self, jobs):
        super().run(jobs)
        with self.file.open("a") as file:
            file.write(f"{os.getpid()}\n")


def test_a_worker_without_jobs_ends_and_the_next_job_has_another(tmp_path):
    worker, here = Worker(lambda: Where(tmp_path / "pids"), idle_seconds=0.05, about=lambda: {"samples": 3}), jobs()
    toy.ToyExecutor().run(here)
    assert worker.about == {"samples": 3}
    for times in (1, 2, 3):
        there = jobs()
        worker.run(there)
        for expected, found in zip(values(here), values(there), strict=True):
            np.testing.assert_equal(found, expected)
        pids = (tmp_path / "pids").read_text().split()
        assert len(pids) == 2 * times  # each job once
        wait_for(lambda: not children(worker.process.pid))
        assert not Path(f"/proc/{pids[-1]}").exists()
    assert len(set(pids)) >= 3
    assert worker.process.is_alive()
    worker.close()
    assert not worker.process.is_alive()


def test_a_later_worker_that_is_killed_is_told_in_words(tmp_path):
    worker = Worker(lambda: Dying() if (tmp_path / "second").exists() else toy.ToyExecutor(), idle_seconds=0.05)
    worker.run(jobs())
    wait_for(lambda: not children(worker.process.pid))
    (tmp_path / "second").touch()
    with pytest.raises(WorkerDied, match="signal 9"):
        worker.run(jobs())
    worker.close()


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(held, seconds=20):
    give_up = time.monotonic() + seconds
    while not held():
        assert time.monotonic() < give_up
        time.sleep(0.005)
