"""A whole federation as processes of this machine writes what a simulated one writes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from typer.testing import CliRunner

from coterie.cli import app
from coterie.scenario.reading import read
from coterie.simulator.run import run
from failing import kept_round

SCENARIO = """
name: small
nodes: 3
seed: 7
topology: ring
until: {rounds: 2}
task: {dataset: digits, model: {name: mlp, hidden: [8]}}
"""


def summary(command, tmp_path, *options):
    (tmp_path / "small.yaml").write_text(SCENARIO)
    folder = tmp_path / command
    done = CliRunner().invoke(app, [command, str(tmp_path / "small.yaml"), "--out", str(folder), *options])
    assert done.exit_code == 0, done.output
    assert (folder / "report.html").exists()
    return json.loads((folder / "summary.json").read_text())


def test_reproducible_processes_end_at_the_very_models_of_the_simulator(tmp_path):
    real = summary("up", tmp_path, "--reproducible")
    simulated = summary("run", tmp_path, "--engine", "exact")
    assert real["digest"] == simulated["digest"]
    assert (real["rounds"], real["samples_trained"]) == (simulated["rounds"], simulated["samples_trained"])


def test_ctrl_c_ends_all_nodes_cleanly_and_only_the_very_same_run_goes_on(tmp_path):
    (tmp_path / "small.yaml").write_text(SCENARIO.replace("rounds: 2", "rounds: 100000"))
    command = [sys.executable, "-c", "from coterie.cli import main; main()", "up", "small.yaml", "--out", "run"]
    with (
        (tmp_path / "err").open("w") as err,
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=err, start_new_session=True) as process,
    ):
        rounds = tmp_path / "run" / "nodes" / "node-2" / "node-2.checkpoint"
        while not rounds.exists() and process.poll() is None:
            time.sleep(0.05)
        nodes = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(20) == 130
    assert len(nodes) == 3
    assert not [node for node in nodes if Path(f"/proc/{node}").exists()]
    said = (tmp_path / "err").read_text()
    assert "Interrupted: all nodes have ended. It goes on with coterie resume run" in said
    assert "Traceback" not in said
    assert "rror" not in said
    for words, problem in (
        (["--seed", "8"], "unfinished run of another scenario"),
        (["--reproducible"], "was begun without --reproducible"),
    ):
        done = CliRunner().invoke(app, ["up", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "run"), *words])
        assert done.exit_code == 2
        assert problem in done.output
        assert "coterie resume" in done.output


def test_a_run_that_was_killed_twice_goes_on_to_the_very_same_models(tmp_path):
    (tmp_path / "small.yaml").write_text(SCENARIO.replace("rounds: 2", "rounds: 30"))
    coterie = [sys.executable, "-c", "from coterie.cli import main; main()"]
    begun = [*coterie, "up", "small.yaml", "--reproducible", "--out", "run"]
    for until in (4, 12):
        with subprocess.Popen(begun, cwd=tmp_path, stderr=subprocess.DEVNULL) as process:
            file = tmp_path / "run" / "nodes" / "node-2" / "node-2.checkpoint"
            while process.poll() is None and (not file.exists() or kept_round(file) < until):
                time.sleep(0.01)
            process.kill()
        assert not (tmp_path / "run" / "summary.json").exists()
    done = subprocess.run([*coterie, "resume", "run", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    resumed = json.loads((tmp_path / "run" / "summary.json").read_text())
    simulated = run(read(tmp_path / "small.yaml", sets=["engine=exact"]).scenario, out=tmp_path / "simulated").summary
    assert (resumed["digest"], resumed["rounds"]) == (simulated.digest, 30)
    assert 0 < resumed["samples_trained"] <= simulated.samples_trained  # what was told in the last moment is not known
    rows = [
        tuple(json.loads(line)[key] for key in ("round", "metric", "node"))
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert len(rows) == len(set(rows))
    assert [
        json.loads(line)["round"]
        for line in (tmp_path / "run" / "events.jsonl").read_text().splitlines()
        if '"round"' in line.split(",")[0]
    ] == list(range(1, 31))
    assert {file.name for file in (tmp_path / "run" / "nodes").glob("**/*") if file.is_file()} == {"log.txt"}


def test_what_is_left_out_is_said_and_baselines_are_simulated_afterwards(tmp_path):
    more = "baselines: [local]\nnetwork: {name: constant, latency_seconds: 0.5}\n"
    (tmp_path / "small.yaml").write_text(SCENARIO + more)
    done = CliRunner().invoke(app, ["up", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "Of the scenario, network is not used: these are real processes and a real network." in done.output
    assert "When the nodes are through, local will be simulated to compare with." in done.output
    assert set(json.loads((tmp_path / "run" / "summary.json").read_text())["baselines"]) == {"local"}


def test_a_node_that_fails_ends_the_run_with_its_traceback(tmp_path):
    (tmp_path / "own.py").write_text(
        "def train(model, data, context):\n"
        "    if context.round:\n"
        "        raise ZeroDivisionError('of my own')\n"
        "    return model, len(data), {}\n"
    )
    scenario = SCENARIO.replace("task:", "training: {function: 'own:train'}\ntask:")
    (tmp_path / "small.yaml").write_text(scenario)
    done = CliRunner().invoke(app, ["up", str(tmp_path / "small.yaml"), "--out", str(tmp_path / "run")])
    assert done.exit_code == 1
    assert "ZeroDivisionError: of my own" in done.output
    assert "own.py" in done.output
    assert "of my own" in (tmp_path / "run" / "log.txt").read_text()
