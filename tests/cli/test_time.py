"""`coterie plan` with its forecast, and `coterie calibrate` with the device that comes of it."""

import json

import pytest

from cli.command import coterie_

SCENARIO = """\
nodes: 6
until: 3
task: digits
network: {name: 4g, spread: 0.5}
device: {flops_per_second: 1e8, spread: 1}
schedule: {deadline_seconds: 0.6}
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "s.yaml").write_text(SCENARIO)
    return tmp_path / "s.yaml"


def test_a_plan_says_what_the_run_comes_to(file, tmp_path):
    planned = json.loads(coterie_("plan", file, "--json").stdout)
    run = json.loads(coterie_("run", file, "--out", tmp_path / "run", "--json").stdout)
    for figure in ("virtual_seconds", "messages", "rounds", "name", "seed", "nodes"):
        assert planned[figure] == run[figure], figure
    assert planned["bytes"] == run["bytes_sent"]
    assert 0 < planned["training"]["mean"] <= planned["training"]["most"] <= 1
    words = coterie_("plan", file).stdout
    assert "round 0" in words
    for heading in ("time", "a round", "traffic", "waiting", "devices", "uplinks", "bottleneck"):
        assert f"\n  {heading} " in words
    assert "forecast" not in coterie_("plan", file, "--no-forecast").stdout


def test_a_plan_with_a_target_says_that_it_may_end_before(file):
    assert "if no target ends it before" in coterie_("plan", file, "--set", "until={rounds: 3, target: 0.9}").stdout


def test_a_plan_tells_what_is_wrong_with_devices(file):
    result = coterie_("plan", file, "--set", "device={name: microcontroller, memory_bytes: 1000}")
    assert result.exit_code == 2
    assert "more than nodes 0, 1, 2, 3, 4 and 1 more have" in result.stderr


def test_a_device_that_was_measured_is_one_that_a_scenario_can_name(file, tmp_path):
    result = coterie_("calibrate", file, "--out", tmp_path / "sub" / "device.json", "--repeats", 3)
    assert result.exit_code == 0
    assert "path: sub/device.json}" in result.stdout
    found = json.loads((tmp_path / "sub" / "device.json").read_text())
    assert (found["parameters"], found["threads"]) == (4810, 1)
    assert {1, 16, 32, 64} <= {pace["batch_size"] for pace in found["training"]}  # the scenario's own batch size is 32
    for pace in found["training"] + found["evaluation"]:
        assert 0 < pace["least"] <= pace["seconds_per_sample"] <= pace["most"] < 1
    device = "device={name: measured, path: sub/device.json}"
    planned = json.loads(coterie_("plan", file, "--set", device, "--set", "schedule={}", "--json").stdout)
    assert planned["training"]["most"] > 0
    other = coterie_("plan", file, "--set", device, "--set", "task={dataset: digits, model: logistic}")
    assert other.exit_code == 2
    assert "was measured with a model of 4,810 parameters, and this one has 650" in other.stderr
