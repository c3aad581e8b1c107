"""Faults in a scenario: what is refused, what comes of them, and what is told of them."""

import json

import numpy as np
import pytest

import coterie
from coterie.core.errors import ScenarioError
from coterie.scenario.check import check
from coterie.scenario.setup import Setup
from coterie.simulator.forecast import forecast
from coterie.simulator.run import run

BASE = {"task": "digits", "nodes": 5, "until": 5, "architecture": "decentralized", "topology": "ring", "device": {"flops_per_second": 3e6}}


def scenario(*faults, **settings):
    return coterie.Scenario(**{**BASE, "faults": list(faults), **settings})


@pytest.mark.parametrize(("settings", "said"), [
    ({"name": "crash"}, "faults.inject.0: a crash from the beginning to the end leaves nobody there → write one of"),
    ({"name": "crash", "at_seconds": 1, "per_hour": 2}, "faults.inject.0.per_hour: a fault comes either at_seconds or per_hour"),
    ({"name": "pause", "at_seconds": 1}, "faults.inject.0.for_seconds: is missing: a pause has an end → write for_seconds: 10"),
    ({"name": "crash", "to": [1], "at_seconds": 1}, "faults.inject.0.to: crash is about nodes, not links"),
    ({"name": "loss", "for_seconds": 1}, "faults.inject.0.for_seconds: is for a fault that comes at a known time"),
    ({"name": "loss", "mean_seconds": 1}, "faults.inject.0.mean_seconds: is for a fault that comes by chance"),
    ({"name": "loss", "share": 1.5}, "faults.inject.0.share: must be below 1.0 (got 1.5)"),
    ({"name": "slow", "factor": 0.5}, "faults.inject.0.factor: must be at least 1.0 (got 0.5)"),
    ({"name": "crsh"}, "did you mean 'crash'?"),
])  # fmt: skip
def test_what_cannot_be_is_refused_with_the_fix(settings, said):
    with pytest.raises(ScenarioError) as refused:
        scenario(settings)
    assert said in str(refused.value)


@pytest.mark.parametrize(("fault", "settings", "said"), [
    ({"name": "crash", "nodes": [5], "at_seconds": 1}, {}, "faults.inject.0.nodes: there is no node 5 → ids go from 0 to 4"),
    ({"name": "crash", "at_round": 5}, {}, "faults.inject.0.at_round: there is no round 5 → rounds go from 0 to 4"),
    ({"name": "loss", "nodes": []}, {}, "faults.inject.0: names no node"),
    ({"name": "partition", "nodes": ["0-4"], "at_seconds": 1}, {}, "faults.inject.0.nodes: all nodes are on one side"),
    ({"name": "crash", "nodes": [0], "disk": "lost", "at_seconds": 1, "for_seconds": 1},
     {"architecture": "centralized", "topology": "star"},
     "faults.inject.0.disk: node 0 is the only aggregator"),
    ({"name": "crash", "nodes": [0], "at_seconds": 1}, {"architecture": "centralized", "topology": "star"},
     "faults.inject.0.for_seconds: node 0 is the only aggregator and would be down for good"),
])  # fmt: skip
def test_what_does_not_fit_the_federation_is_a_mistake(fault, settings, said):
    assert any(said in str(mistake) for mistake in check(scenario(fault, **settings)))


def test_after_the_end_of_faults_none_may_begin():
    wanted = scenario(faults={"inject": [{"name": "crash", "at_seconds": 9}], "until_seconds": 9})
    assert list(map(str, check(wanted))) == [
        "faults.inject.0.at_seconds: is after until_seconds, when faults are over → write an earlier time"
    ]


def test_a_run_with_faults_comes_to_the_same_models_and_tells_of_them(tmp_path):
    faults = [
        {"name": "crash", "nodes": [3], "at_round": 2, "for_seconds": 5},
        {"name": "cut", "nodes": [0], "to": [1], "at_seconds": 0.5, "for_seconds": 2},
        {"name": "loss", "share": 0.1},
    ]
    found = run(scenario(*faults, membership={"patience": 1000}), out=tmp_path / "faults")  # nobody gives up on anybody
    plain = run(scenario(faults=None), out=tmp_path / "plain")
    assert found.summary.digest == plain.summary.digest
    assert found.summary.virtual_seconds > plain.summary.virtual_seconds + 5
    assert found.summary.faults["crash"] == found.summary.faults["cut"] == 1
    assert found.summary.faults["loss"] > 0
    assert plain.summary.faults == {}
    told = [(one.what, one.nodes) for one in found.folder.events.faults]
    assert ("crash", (3,)) in told
    assert ("cut", (0, 1)) in told
    crash = next(one for one in found.folder.events.faults if one.what == "crash")
    assert crash.end == pytest.approx(crash.begin + 5)
    page = found.report.read_text()
    assert "is down" in page
    assert "is cut off from a neighbour" in page


def test_evaluations_that_are_made_again_are_not_counted_twice(tmp_path):
    found = run(scenario({"name": "crash", "nodes": [1], "at_round": 2, "for_seconds": 1}), out=tmp_path / "run")
    series = found.folder.metrics.series("accuracy")
    pairs = np.stack([series.node, series.round])
    assert len(np.unique(pairs, axis=1).T) == len(series)


def test_a_forecast_tells_of_faults(tmp_path):
    wanted = scenario({"name": "crash", "nodes": [3], "at_round": 2, "for_seconds": 5}, {"name": "slow", "factor": 3.0})
    made = run(wanted, out=tmp_path / "run").summary
    assert forecast(Setup(wanted)).virtual_seconds == pytest.approx(made.virtual_seconds)
    assert made.virtual_seconds > 3 * forecast(Setup(scenario(faults=None))).virtual_seconds


def test_a_node_that_is_down_for_good_is_no_reason_to_wait_for_ever(tmp_path):
    wanted = scenario({"name": "crash", "nodes": [3], "at_round": 2}, schedule={"deadline_seconds": 3})
    found = run(wanted, out=tmp_path / "run")
    assert found.summary.rounds == 5
    (event,) = found.folder.events.faults
    assert event.end is None
    assert json.loads((tmp_path / "run" / "events.jsonl").read_text().splitlines()[-1])["event"] in {"round", "stretch", "rejected"}


def test_baselines_have_no_faults(tmp_path):
    found = run(scenario({"name": "loss", "share": 0.05}, baselines=["local", "centralized"]), out=tmp_path / "run")
    assert all(baseline.faults == {} for baseline in found.summary.baselines.values())
