"""`coterie bench`: what it measures, and how it tells it."""

import json
import math

import pytest

from cli.command import SCENARIO, coterie_
from coterie.core.errors import ScenarioError
from coterie.learning.executors import cluster
from coterie.simulator import throughput

BASELINES = "baselines: [local]\n"
SAMPLES = 1151
"""That a round trains on, as `coterie check` says."""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "s.yaml"
    path.write_text(SCENARIO.replace("executor: inline\n", "") + BASELINES)
    return path


@pytest.fixture
def bench(file, monkeypatch):
    monkeypatch.setattr(cluster, "installed", lambda: False)
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words):
        return coterie_("bench", file, *words)

    return run


def test_every_engine_with_every_executor_and_what_a_round_of_each_is_made_of(bench, tmp_path):
    result = bench("--json", "--rounds", 3, "--out", tmp_path / "new" / "b.json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert json.loads((tmp_path / "new" / "b.json").read_text()) == told
    assert [(row["engine"], row["executor"]) for row in told["measured"]] == [
        ("exact", "inline"),
        ("exact", "processes"),
        ("fast", "inline"),
        ("fast", "processes"),
    ]
    for row in told["measured"]:
        assert row["rounds"] == 3
        assert 3 * SAMPLES <= row["samples"] <= 4 * SAMPLES  # neighbours of the last one done have begun the next round
        parts = row["milliseconds_a_round"]
        assert list(parts) == ["training", "aggregation", "evaluation", "protocol"]
        assert min(parts.values()) > 0
        assert math.isclose(sum(parts.values()), 1000 * row["seconds_a_round"])
        assert math.isclose(row["rounds_per_second"] * row["seconds_a_round"], 1)
        assert row["batching"]["how"] == ("one by one" if row["engine"] == "exact" else "products")
    assert (told["nodes"], told["trainers"], told["parameters"]) == (6, 6, 4810)
    assert told["chosen"]["executor"] == "inline"
    assert told["chosen"]["why"] == "all nodes of a round train at once"
    assert told["fastest"] == min(told["measured"], key=lambda row: row["seconds_a_round"])


def test_the_table_fits_a_terminal_and_says_what_is_taken_and_why(bench):
    result = bench("--rounds", 1, "--set", "executor=processes", "--set", "training.batch_size=32")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0].startswith("clinics · 6 nodes a round · ")
    table = lines[: next(number for number, line in enumerate(lines) if line.startswith("* is taken"))]
    assert max(map(len, table)) <= 80
    assert [line.split("  ")[0].strip() for line in table if "inline" in line or "processes" in line] == [
        "exact inline",
        "exact processes",
        "fast inline *",
        "fast processes",
    ]
    assert "* is taken: engine fast; executor: auto takes inline, since all nodes of a round train at once." in result.stdout
    assert "fast trains 6 at a time in batched products: " in result.stdout
    assert "Fastest here: " in result.stdout


def test_rounds_end_with_the_seconds_but_one_is_measured_and_models_are_evaluated_as_often_as_written(bench):
    told = json.loads(bench("--json", "--seconds", 0, "--set", "evaluation=3").stdout)
    assert {row["rounds"] for row in told["measured"]} == {1}
    told = json.loads(bench("--json", "--seconds", 60, "--set", "evaluation=4").stdout)
    assert {row["rounds"] for row in told["measured"]} == {4}  # a whole stretch from one evaluation to the next
    assert min(row["milliseconds_a_round"]["evaluation"] for row in told["measured"]) > 0


@pytest.mark.parametrize(
    ("only", "ways"),
    [
        (["fast"], ["fast inline", "fast processes"]),
        (["inline"], ["exact inline", "fast inline"]),
        (["fast", "inline"], ["fast inline"]),
        (["fast", "exact", "inline"], ["exact inline", "fast inline"]),
    ],
)
def test_only_some_ways(bench, only, ways):
    result = bench("--json", "--rounds", 1, *(word for name in only for word in ("--only", name)))
    assert [f"{row['engine']} {row['executor']}" for row in json.loads(result.stdout)["measured"]] == ways


def test_a_way_that_there_is_not(bench):
    result = bench("--only", "proceses")
    assert result.exit_code == 2
    assert "--only: there is no engine or executor 'proceses' here" in result.stderr
    assert "did you mean 'processes'?" in result.stderr


def test_what_cannot_run_is_told_with_the_reason(bench, monkeypatch):
    def refused(setup, folder):
        if setup.scenario.executor.name == "processes":
            raise ScenarioError.at("executor", "worker processes need a POSIX system", "use inline")
        return executor_of(setup, folder)

    executor_of = throughput.executor_of
    monkeypatch.setattr(throughput, "executor_of", refused)
    result = bench("--rounds", 1)
    assert result.exit_code == 0
    assert "exact processes: executor: worker processes need a POSIX system → use inline" in result.stdout


def test_a_bad_scenario_is_refused_before_anything_runs(bench):
    result = bench("--set", "nodes=0")
    assert (result.exit_code, result.stdout) == (2, "")


def test_ray_is_a_contender_where_it_is_installed(monkeypatch):
    for there in (True, False):
        monkeypatch.setattr(cluster, "installed", lambda there=there: there)
        assert (throughput.Contender("fast", "ray") in throughput.contenders()) is there
