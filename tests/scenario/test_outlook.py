"""The outlook is what the run then takes: exactly where rounds are alike, about that where they are not."""

import pytest

import coterie
from coterie.scenario import Scenario
from coterie.scenario.outlook import outlook
from coterie.scenario.setup import Setup

BASE = {"task": "digits", "nodes": 6, "until": 3, "seed": 3, "executor": "inline", "training": {"batch_size": 64}}

TWO_SIDES = {
    "nodes": 8,
    "topology": {"name": "edges", "pairs": [[0, 4], [1, 4], [2, 5], [3, 5], [4, 6], [5, 7], [6, 7]]},
    "roles": {"trainer": ["0-3"], "proxy": [4, 5], "aggregator": [6, 7]},
}
"""Two sides, each with a proxy between its trainers and its aggregator."""


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
        ({"topology": "ring"}, True),
        ({"topology": "ring", "everyone": False}, True),
        ({"nodes": 9, "topology": {"name": "grid"}, "algorithm": "scaffold"}, True),
        ({"nodes": 5, "topology": {"name": "edges", "pairs": [[0, 1], [1, 2], [2, 3], [2, 4]]}}, True),
        (TWO_SIDES, True),
        (TWO_SIDES | {"everyone": False}, True),
        ({"topology": "ring", "architecture": "semi-decentralized"}, False),
        ({"architecture": "semi-decentralized"}, False),
        ({"participation": 2}, False),
        ({"topology": "ring", "participation": 2}, False),
        ({"schedule": {"deadline_seconds": 60.0}}, False),
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
