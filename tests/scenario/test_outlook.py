"""The outlook is what the run then takes: exactly where rounds are alike, about that where they are not."""

import pytest

import coterie
from coterie.scenario import Scenario
from coterie.scenario.outlook import outlook
from coterie.scenario.setup import Setup

BASE = {"task": "digits", "nodes": 6, "until": 3, "seed": 3, "executor": "inline", "training": {"batch_size": 64}}


@pytest.mark.parametrize(
    ("settings", "exact"),
    [
        ({}, True),
        ({"architecture": "decentralized", "topology": "small-world"}, True),
        ({"algorithm": "scaffold"}, True),
        ({"architecture": "decentralized", "topology": "isolated"}, True),
        ({"training": {"steps": 3, "batch_size": 8}}, True),
        ({"nodes": 1}, True),
        ({"everyone": False}, True),
        ({"architecture": "semi-decentralized"}, False),
        ({"participation": 2}, False),
        ({"topology": "ring"}, False),
    ],
)
def test_it_tells_what_a_run_takes(settings, exact, tmp_path):
    scenario = Scenario(**{**BASE, **settings})
    found, summary = outlook(Setup(scenario)), coterie.run(scenario, out=tmp_path / "run").summary
    assert found.exact is exact
    close = 0 if exact else 0.3
    for told, took in (
        (found.messages, summary.messages),
        (found.bytes, summary.bytes_sent),
        (found.samples, summary.samples_trained),
        (found.nodes, summary.nodes),
        (found.rounds, summary.rounds),
    ):
        assert told == pytest.approx(took, rel=close, abs=0)
