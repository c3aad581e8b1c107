"""Whole runs: the same seed gives the same digest, killed or not, with any executor, however jobs are grouped."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pytest

import coterie
from coterie.learning.executors import cores
from coterie.reporting.facts import Execution
from coterie.reporting.run_folder import RunFolder
from coterie.simulator import simulate

TRAINING = {"batch_size": 16, "optimizer": {"name": "sgd", "learning_rate": 0.1}}
SHAPES = {
    "ring": {"nodes": 6, "architecture": "decentralized", "topology": "ring"},
    "star with SCAFFOLD": {"nodes": 6, "algorithm": "scaffold", "participation": 0.5},
    "rotating with FedAdam": {"nodes": 5, "architecture": "semi-decentralized", "algorithm": "fedadam"},
}


def scenario(shape="ring", **settings):
    chosen = {"task": "digits", "seed": 3, "until": 4, "partition": {"name": "dirichlet", "alpha": 0.5}, "training": TRAINING}
    return coterie.Scenario(**{**chosen, **SHAPES[shape], **settings})


def digest(tmp_path, name, wanted):
    return coterie.run(wanted, out=tmp_path / name).summary.digest


@pytest.mark.parametrize("shape", SHAPES)
def test_seeds_executors_and_windows(shape, tmp_path, monkeypatch):
    first = digest(tmp_path, "first", scenario(shape))
    assert digest(tmp_path, "processes", scenario(shape, executor={"name": "processes", "workers": 2})) == first
    monkeypatch.setattr(simulate, "WINDOW_JOBS", (1, 3))
    assert digest(tmp_path, "narrow", scenario(shape)) == first
    assert digest(tmp_path, "other", scenario(shape, seed=4)) != first


def test_latency_and_devices_change_the_time_and_not_the_result(tmp_path):
    slow = {"network": {"latency_seconds": 3.0}, "device": 1e6}
    runs = [coterie.run(scenario(**settings), out=tmp_path / name).summary for name, settings in (("a", {}), ("b", slow))]
    assert runs[0].digest == runs[1].digest
    assert runs[1].virtual_seconds > 4 * 3.0 > runs[0].virtual_seconds


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_run_killed_at_any_moment_resumes_to_the_same_digest(tmp_path, executor):
    """Three `kill -9`s, each a little later after a checkpoint was written; one is due every 20 ms."""
    settings = {"until": 120, "baselines": ["centralized", "local"], "executor": {"name": executor, "workers": 2}}
    settings["evaluation"] = 5
    settings["network"] = {"name": "links", "up_bytes_per_second": 1e6, "jitter_seconds": 0.01, "loss": 0.01}
    settings["availability"] = {"name": "markov", "mean_on_seconds": 1, "mean_off_seconds": 1}
    _killed_again_and_again(scenario(name="killed", **settings), tmp_path, 3)


FAULTS = [
    {"name": "crash", "per_hour": 600, "mean_seconds": 1},
    {"name": "partition", "nodes": [1, 2], "at_round": 9, "for_seconds": 2},
    {"name": "loss", "share": 0.02},
    {"name": "duplication", "share": 0.05},
]
UNEVEN = {"device": {"name": "processor", "flops_per_second": 3e6, "spread": 1.0}, "until": 120, "evaluation": 5}
KILLED = {
    "asynchronous": {"architecture": "centralized", "topology": "star", "schedule": {"name": "asynchronous", "buffer": 2}},
    "gossip": {"schedule": "asynchronous", "sharing": {"name": "gossip", "direction": "push-pull"}},
    "faults": {"schedule": "asynchronous", "sharing": "pairwise", "faults": FAULTS, "until": 60},
    "reputations": {
        "nodes": 8,
        "topology": {"name": "regular", "degree": 6},
        "trust": {"name": "beta", "opinions": 0.5},
        "attacks": [{"name": "sign_flip", "who": [2]}],
        "until": 40,
    },
}


@pytest.mark.parametrize("kind", KILLED)
def test_so_does_one_without_rounds_with_faults_and_with_reputations(tmp_path, kind):
    _killed_again_and_again(scenario(name="killed", **{**UNEVEN, **KILLED[kind]}), tmp_path, 1)


def _killed_again_and_again(wanted, tmp_path, times):
    whole = coterie.run(wanted, out=tmp_path / "whole")
    (tmp_path / "killed.yaml").write_text(wanted.yaml())
    kills = 0
    for number in range(40):
        command = ["run", "killed.yaml", "--out", "killed"] if number == 0 else ["resume", "killed"]
        process = _started(command, tmp_path)
        if kills < times and _killed(process, tmp_path / "killed", after=0.03 * kills):
            kills += 1
            continue
        assert process.wait(60) == 0
        break
    assert kills == times
    _same(RunFolder.open(tmp_path / "killed"), whole.folder)


def test_what_was_batched_is_written_down_and_kept_by_a_resume(tmp_path):
    model = {"name": "cnn", "channels": [3], "kernel": 3, "hidden": [4]}
    wanted = scenario(nodes=9, task={"dataset": "digits", "model": model}, until=2)
    whole = coterie.run(wanted, out=tmp_path / "whole")
    assert whole.folder.facts.execution.how == "vmap"
    assert whole.folder.facts.execution.nodes == 9
    assert whole.folder.facts.execution.executor == "inline"
    assert "trains 9 at a time through torch.func.vmap" in (tmp_path / "whole" / "log.txt").read_text()
    with RunFolder.create(wanted.yaml(), name="begun", path=tmp_path / "begun", root=tmp_path) as folder:
        folder.write_facts(msgspec.structs.replace(whole.folder.facts, execution=Execution(how="vmap", nodes=2, why="it was so")))
    resumed = coterie.resume(tmp_path / "begun")
    executor = "processes" if cores() > 1 else "inline"
    assert resumed.folder.facts.execution == Execution(how="vmap", nodes=2, why="it was so", executor=executor)
    other = coterie.run(wanted.changed(executor={"name": "inline", "chunk": 2}), out=tmp_path / "other")
    assert resumed.summary.digest == other.summary.digest


def test_real_time_is_told_by_parts(tmp_path):
    summary = coterie.run(scenario(), out=tmp_path / "run").summary
    assert set(summary.job_seconds) == {"training", "evaluation", "aggregation"}
    assert 0 < sum(summary.job_seconds.values()) < summary.wall_seconds


def _started(command, folder):
    code = "import sys; from coterie.simulator import simulate; simulate.CHECKPOINT_SECONDS = 0.02; simulate.CHECKPOINT_SHARE = 1.0; "
    code += "from coterie.cli import main; sys.argv[0] = 'coterie'; main()"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "env": {**os.environ, "OMP_NUM_THREADS": "1"}}
    return subprocess.Popen([sys.executable, "-c", code, *command], cwd=folder, start_new_session=True, **quiet)


def _killed(process, folder, after):
    """Kill the process (and its workers) so many seconds after it has written a checkpoint; False if it was done before."""
    file = folder / simulate.CHECKPOINT
    before = file.stat().st_mtime_ns if file.exists() else 0
    while process.poll() is None and not (file.exists() and file.stat().st_mtime_ns != before):
        time.sleep(0.002)
    time.sleep(after)
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return True


def _same(found: RunFolder, wanted: RunFolder):
    assert found.summary.digest == wanted.summary.digest
    assert found.summary.faults == wanted.summary.faults
    assert found.events.faults == wanted.events.faults
    for name in wanted.summary.baselines:
        assert found.summary.baselines[name].digest == wanted.summary.baselines[name].digest
    for figure in ("bytes_sent", "messages", "virtual_seconds", "samples_trained", "accuracy", "loss_own", "rounds"):
        assert getattr(found.summary, figure) == getattr(wanted.summary, figure), figure
    for column, other in zip(found.events.stretches, wanted.events.stretches, strict=True):
        np.testing.assert_array_equal(column, other)
    for metric in ("accuracy", "train_loss", "accuracy_own"):
        a, b = found.metrics.series(metric), wanted.metrics.series(metric)
        np.testing.assert_array_equal(np.stack([a.node, a.round, a.value, a.seconds]), np.stack([b.node, b.round, b.value, b.seconds]))


def test_a_target_ends_the_run_at_the_round_that_reaches_it(tmp_path):
    wanted = scenario("star with SCAFFOLD", participation="all", until={"target": 0.6, "rounds": 60})
    run = coterie.run(wanted, out=tmp_path / "run")
    accuracy = run.folder.metrics.series("accuracy")
    assert run.summary.rounds == accuracy.round[accuracy.value >= 0.6].min() < 60
    assert "accuracy reached 0.6" in run.summary.ended_by
    plain = coterie.run(wanted.changed(until=run.summary.rounds), out=tmp_path / "plain")
    assert plain.summary.digest == run.summary.digest


def test_a_decentralized_target_ends_within_a_round_for_everybody(tmp_path):
    run = coterie.run(scenario(until={"target": 0.5, "rounds": 80}), out=tmp_path / "run")
    accuracy = run.folder.metrics.series("accuracy")
    means = [accuracy.value[accuracy.round == number].mean() for number in range(run.summary.rounds + 1)]
    first = next(number for number, mean in enumerate(means) if mean >= 0.5)
    assert first <= run.summary.rounds <= first + 2
    assert {len(accuracy.value[accuracy.round == number]) for number in range(run.summary.rounds + 1)} == {6}


def test_a_run_that_no_longer_improves_ends(tmp_path):
    until = {"converged": {"metric": "accuracy", "patience": 2, "tolerance": 0.5}, "rounds": 50}
    run = coterie.run(scenario("star with SCAFFOLD", until=until), out=tmp_path / "run")
    assert run.summary.rounds < 50
    assert "has not improved" in run.summary.ended_by


def test_the_model_of_a_run_and_of_a_node(tmp_path):
    import torch

    run = coterie.run(scenario(), out=tmp_path / "run")
    vectors = run.folder.models()
    for node in (None, 2):
        parameters = torch.cat([p.detach().reshape(-1) for p in run.model(node).parameters()])
        np.testing.assert_array_equal(parameters.numpy(), vectors.vector(node))
    assert vectors.nodes == 6


def test_a_finished_run_is_not_written_over_and_resumes_to_itself(tmp_path):
    run = coterie.run(scenario(), out=tmp_path / "run")
    before = run.summary
    assert coterie.resume(tmp_path / "run").summary == before
    with pytest.raises(coterie.ScenarioError, match="holds a finished run"):
        coterie.run(scenario(), out=tmp_path / "run")


def test_every_message_may_be_written_down(tmp_path):
    run = coterie.run(scenario(events="messages", until=2), out=tmp_path / "run")
    text = (run.folder.path / "events.jsonl").read_text()
    assert text.count('"event":"message"') == run.summary.messages == 6 * 2 * 2 + 6 * 2  # models both ways in 2 rounds, goodbyes


def test_the_folder_given_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = coterie.run(scenario(until=1))
    assert run.report == Path("runs/scenario-1/report.html")
    assert run.report.exists()


def test_a_setup_goes_to_another_process_as_its_scenario_and_samples():
    import pickle

    from coterie.scenario.setup import Setup

    setup = Setup(scenario())
    assert setup.federation.nodes == 6
    sent = pickle.dumps(setup.bench)
    assert len(sent) < 2 * sum(part.nbytes for part in (setup.task.inputs, setup.task.targets, setup.task.common_inputs))
    np.testing.assert_array_equal(pickle.loads(sent)().task.inputs, setup.task.inputs)


@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_a_training_function_of_ones_own_may_differentiate_after_an_evaluation(tmp_path, engine):
    (tmp_path / "own_descent.py").write_text(
        "import torch\n"
        "def train(model, data, context):\n"
        "    loss = torch.nn.functional.cross_entropy(model(data.inputs), data.targets)\n"
        "    loss.backward()\n"
        "    with torch.no_grad():\n"
        "        for parameter in model.parameters():\n"
        "            parameter -= 0.1 * parameter.grad\n"
        "    return model, len(data.targets), {'own_loss': float(loss.detach())}\n"
    )
    training = {"function": "own_descent:train"}
    run = coterie.run(scenario(training=training, engine=engine, executor="inline", folder=str(tmp_path)), out=tmp_path / "run")
    assert run.summary.metrics["own_loss"].mean < 2.4


def test_two_metrics_of_one_name_are_refused(tmp_path):
    (tmp_path / "own_twice.py").write_text("def accuracy(outputs, targets):\n    return 1.0\n")
    training = {"metrics": ["own_twice:accuracy", "own_twice:accuracy"]}
    with pytest.raises(coterie.ScenarioError, match="more than one thing would be reported as 'accuracy'"):
        coterie.run(scenario(training=training, folder=str(tmp_path)), out=tmp_path / "run")
