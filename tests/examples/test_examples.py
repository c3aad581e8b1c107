"""Every example runs (shrunk where it would take long) and does what its comments say."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from coterie.cli import app
from coterie.core.ids import NodeId
from coterie.scenario.reading import load
from coterie.scenario.setup import Setup
from docs.apart import apart
from docs.pages import ROOT

EXAMPLES = ROOT / "examples"
SCENARIOS = sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.yaml"))
SHRUNK = {
    "cross-device.yaml": [],  # in full: it ends by its target
    "faults.yaml": [],  # in full: its faults come at certain rounds
    "own_model/scenario.yaml": ["until.rounds=6"],
    "poisoning.yaml": ["until=6"],
    "trust.yaml": [],  # in full: its attack comes at certain rounds
    "mnist.yaml": ["task.dataset.path=small.npz", "nodes=20", "until.rounds=1", "training.epochs=1", "executor=inline"],
}
SHRUNK_BY_DEFAULT = ["until=2", "baselines=[]"]


@pytest.fixture
def folder(tmp_path):
    """A copy of the examples to run in, so that nothing of a run is left among them; with a small MNIST."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", "runs"))
    with apart(tmp_path / "examples") as here:
        yield here


def small_mnist(folder: Path) -> None:
    """An archive in MNIST's form, of 440 noisy images in which the label is the brightest row of a block of rows."""
    draw, labels = np.random.default_rng(0), np.arange(440) % 10
    images = draw.integers(0, 60, (440, 28, 28), dtype=np.uint8)
    images[np.arange(440), 4 + 2 * labels] = 255
    np.savez(folder / "small.npz", x_train=images[:400], y_train=labels[:400], x_test=images[400:], y_test=labels[400:])


def setup(path: str) -> Setup:
    return Setup(load(path))


@pytest.mark.parametrize("name", SCENARIOS)
def test_it_runs(folder, name):
    small_mnist(folder)
    sets = [word for each in SHRUNK.get(name, SHRUNK_BY_DEFAULT) for word in ("--set", each)]
    done = CliRunner().invoke(app, ["run", name, *sets, "--out", "run", "--json"])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.stdout)
    assert summary["accuracy"]["mean"] > 0
    assert summary["raw_bytes"] == 0
    assert (folder / "run" / "report.html").stat().st_size > 10_000
    if name == "cross-device.yaml":
        assert summary["ended_by"].startswith("accuracy reached 0.85")
    if name == "own_model/scenario.yaml":
        assert 0 < summary["accuracy"]["mean"] <= summary["metrics"]["top3"]["mean"] <= 1


def test_the_quickstart_comes_near_to_central_training_and_leaves_training_alone_behind(folder):
    done = CliRunner().invoke(app, ["run", "quickstart.yaml", "--set", "baselines=[local, centralized]", "--out", "run", "--json"])
    summary = json.loads(done.stdout)
    federation, alone, central = (
        one["accuracy"]["mean"] for one in (summary, summary["baselines"]["local"], summary["baselines"]["centralized"])
    )
    assert alone + 0.2 < federation < central


def test_the_mixed_one_is_as_drawn(folder):
    planner = setup("mixed.yaml").planner
    plans = [planner.plan(NodeId(node), 0) for node in range(12)]
    assert [plan.send_to for plan in plans] == [10] * 4 + [11] * 4 + [None] * 4
    assert [plan.trains for plan in plans] == [True] * 8 + [False] * 4
    assert [plan.exchange_with for plan in plans[8:]] == [(), (), (11,), (10,)]
    assert planner.table(0).proxies.tolist() == [8, 9]


def test_the_aggregator_of_the_semi_decentralized_one_moves_with_its_state(folder):
    made = setup("semi-decentralized.yaml")
    assert [made.planner.table(number).aggregators.tolist() for number in range(3)] == [[0], [1], [2]]
    assert made.federation.hands_over


def test_scaffold_does_better_than_fedavg_on_the_cross_silo_one_and_sends_twice_as_much(folder):
    found = {}
    for algorithm in ("scaffold", "fedavg"):
        sets = ["--set", f"algorithm={algorithm}", "--set", "baselines=[]", "--out", algorithm, "--json"]
        found[algorithm] = json.loads(CliRunner().invoke(app, ["run", "cross-silo.yaml", *sets]).stdout)
    assert found["scaffold"]["accuracy"]["mean"] > found["fedavg"]["accuracy"]["mean"] + 0.05
    assert 1.9 < found["scaffold"]["bytes_sent"] / found["fedavg"]["bytes_sent"] < 2.1


def test_the_hospitals_are_the_files_and_their_holes_are_filled(folder):
    task = setup("hospitals.yaml").task
    assert task.names == ("budapest", "cleveland", "long-beach", "zurich")
    assert {"age", "cholesterol", "sex=female", "chest_pain=none"} <= set(task.columns)
    assert np.isfinite(task.inputs).all()


def test_a_node_of_the_cross_device_one_has_some_seven_images(folder):
    made = setup("cross-device.yaml")
    assert made.scenario.training.batch_size == 10
    assert not made.scenario.everyone
    assert 4 <= (made.task.train.sizes + made.task.test.sizes).mean() <= 8


def test_the_program_prints_its_table(folder, capsys):
    runpy.run_path("program.py", run_name="__main__")
    said = capsys.readouterr().out
    assert all(shape in said for shape in ("star", "ring", "everybody", "report.html"))


def test_the_test_of_the_own_rule_passes(folder):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_clipped_mean.py"]
    done = subprocess.run(command, cwd=folder / "own_rule", capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
