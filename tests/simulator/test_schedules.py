"""Whole runs of the schedules on real models: one seed, one digest, with any executor and window, killed or not."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import coterie
from coterie.scenario.setup import Setup
from coterie.simulator import simulate

FEDBUFF = {"name": "asynchronous", "buffer": 2, "staleness_rounds": 6}
UNEVEN = {"device": {"name": "processor", "spread": {"name": "log-normal", "sigma": 1.0}, "flops_per_second": 1e7}}
SHAPES = {
    "fedasync": {"schedule": "asynchronous"},
    "fedbuff with scaffold, rotating": {"schedule": FEDBUFF, "algorithm": "scaffold", "architecture": "semi-decentralized"},
    "fedbuff with fedadam": {"schedule": FEDBUFF, "algorithm": "fedadam", "participation": 4},
    "semi-synchronous with fednova": {"schedule": {"name": "semi-synchronous", "local_seconds": 1.0}, "algorithm": "fednova"},
    "asynchronous ring": {"schedule": "asynchronous", "architecture": "decentralized", "topology": "ring"},
    "pairwise": {"schedule": "asynchronous", "sharing": "pairwise", "architecture": "decentralized", "topology": "ring"},
    "gossip": {"sharing": {"name": "gossip", "neighbours": 2}, "architecture": "decentralized"},
}


def scenario(shape, **settings):
    training = {"batch_size": 16, "optimizer": {"name": "sgd", "learning_rate": 0.1}}
    base = {"task": "digits", "nodes": 6, "seed": 3, "until": 6, "partition": {"name": "dirichlet", "alpha": 0.5}, "training": training}
    return coterie.Scenario(**{**base, **UNEVEN, **SHAPES[shape], **settings})


@pytest.mark.parametrize("shape", SHAPES)
def test_executors_and_windows_change_nothing(shape, tmp_path, monkeypatch):
    first = coterie.run(scenario(shape), out=tmp_path / "first").summary
    assert first.rounds == 6
    if shape != "fedbuff with scaffold, rotating":
        wanted = scenario(shape, executor={"name": "processes", "workers": 2})
        assert coterie.run(wanted, out=tmp_path / "processes").summary.digest == first.digest
    monkeypatch.setattr(simulate, "WINDOW_JOBS", (1, 3))
    assert coterie.run(scenario(shape), out=tmp_path / "narrow").summary.digest == first.digest


@pytest.mark.parametrize("shape", ["fedbuff with scaffold, rotating", "pairwise"])
def test_a_run_killed_at_any_moment_resumes_to_the_same_digest(shape, tmp_path):
    """Up to two `kill -9`s, each after a checkpoint was written; one is due every 20 ms."""
    wanted = scenario(shape, name="killed", until=100 if shape == "pairwise" else 250, evaluation=20)
    whole = coterie.run(wanted, out=tmp_path / "whole").summary
    (tmp_path / "killed.yaml").write_text(wanted.yaml())
    kills = 0
    for number in range(40):
        process = started(["run", "killed.yaml", "--out", "killed"] if number == 0 else ["resume", "killed"], tmp_path)
        if kills < 2 and killed(process, tmp_path / "killed" / "checkpoint"):
            kills += 1
            continue
        assert process.wait(60) == 0
        break
    assert kills
    again = coterie.resume(tmp_path / "killed").summary
    assert (again.digest, again.messages, again.virtual_seconds) == (whole.digest, whole.messages, whole.virtual_seconds)


def started(command, folder):
    code = "import sys; from coterie.simulator import simulate; simulate.CHECKPOINT_SECONDS = 0.02; simulate.CHECKPOINT_SHARE = 1.0; "
    code += "from coterie.cli import main; sys.argv[0] = 'coterie'; main()"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    return subprocess.Popen([sys.executable, "-c", code, *command], cwd=folder, start_new_session=True, **quiet)


def killed(process, file):
    """Kill it once the checkpoint has been written anew; False if it ended before."""
    before = file.stat().st_mtime_ns if file.exists() else 0
    while process.poll() is None:
        if file.exists() and file.stat().st_mtime_ns != before:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.001)
    return False


def test_nodes_take_as_many_steps_as_fit_into_the_time():
    setup = Setup(scenario("semi-synchronous with fednova"))
    each = setup.workload.usual_seconds / setup.workload.usual_steps  # what a step takes
    steps = setup.federation.steps
    np.testing.assert_array_equal(steps, np.maximum(1, np.floor(1.0 / each)))
    np.testing.assert_allclose(setup.federation.training_seconds, steps * each)
    assert len(set(steps.tolist())) > 2
    np.testing.assert_array_equal(setup.federation.effort, steps)


def test_a_budget_of_time_stops_every_node_where_it_is(tmp_path):
    wanted = scenario("asynchronous ring", until={"rounds": 1000, "virtual_seconds": 40.0})
    run = coterie.run(wanted, out=tmp_path / "run")
    series = run.folder.metrics.series("train_loss")
    rounds = {int(node): int(series.round[series.node == node].max()) for node in set(series.node.tolist())}
    slowest = float(Setup(wanted).federation.training_seconds.max())
    assert min(rounds.values()) < max(rounds.values()) < 1000
    assert run.summary.virtual_seconds < 40.0 + slowest + 1.0
