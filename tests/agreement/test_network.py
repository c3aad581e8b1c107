"""The simulator and the network agree: the same models, bit for bit, from virtual time and from processes over loopback."""

import numpy as np
import pytest

import coterie
from coterie.runtime.local import LocalFederation, LocalProcesses
from coterie.scenario.setup import Setup
from coterie.simulator.run import run as simulate

PARTITION = {"name": "dirichlet", "alpha": 0.3}
TRAINING = {"batch_size": 16, "optimizer": {"name": "sgd", "learning_rate": 0.1}}
SHAPES = {
    "quickstart": {"nodes": 16, "architecture": "decentralized", "topology": {"name": "small-world", "neighbours": 4, "rewiring": 0.2}},
    "ring": {"nodes": 8, "architecture": "decentralized", "topology": "ring"},
    "random": {"nodes": 6, "architecture": "decentralized", "topology": {"name": "erdos-renyi", "p": 0.6}},
    "star with FedAdam": {"nodes": 6, "architecture": "centralized", "algorithm": "fedadam", "participation": 0.5},
    "rotating with SCAFFOLD": {"nodes": 5, "architecture": "semi-decentralized", "algorithm": "scaffold"},
    "rotating with FedAdam": {"nodes": 5, "architecture": "semi-decentralized", "algorithm": "fedadam"},
    "opinions": {"nodes": 6, "architecture": "decentralized", "topology": "full", "trust": {"name": "beta", "opinions": 0.5}},
    "rotating with reputations": {"nodes": 6, "architecture": "semi-decentralized", "trust": {"name": "beta", "asked_every": 2}},
    "proxies": {
        "nodes": 6,
        "topology": {"name": "edges", "pairs": [[0, 2], [1, 2], [2, 3], [3, 4], [4, 5]]},
        "roles": {"trainer": [0, 1], "aggregator": [3, 5], "proxy": [2, 4]},
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_four_processes_give_the_models_of_the_simulator(name, tmp_path):
    scenario = coterie.Scenario(task="digits", seed=7, until=3, engine="exact", partition=PARTITION, training=TRAINING, **SHAPES[name])
    simulated = simulate(scenario, out=tmp_path / "run").folder.models()
    with LocalProcesses(LocalFederation.of(Setup(scenario)), 4) as processes:
        results = processes.results(60)
    assert sorted(results) == list(range(scenario.nodes))
    size = simulated.layout.size
    for node, result in results.items():
        assert result.rounds == 3
        np.testing.assert_array_equal(result.vector[:size], simulated.vector(node))
