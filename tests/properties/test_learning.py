"""What federated averaging must equal, run whole: gradient descent on all data, and itself under another numbering."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import coterie
from coterie.scenario.setup import Setup
from coterie.simulator.run import run

TASK = {"dataset": "digits", "model": {"name": "mlp", "hidden": [8]}, "test_fraction": 0.0}
ONE_STEP = {"batch_size": "all", "steps": 1, "optimizer": {"name": "sgd", "learning_rate": 0.5}}


def final(tmp, **chosen):
    scenario = coterie.Scenario(task=TASK, training=ONE_STEP, seed=5, **chosen)
    return run(scenario, out=tmp).folder.models().vector()


@settings(max_examples=8)
@given(st.integers(1, 6), st.integers(1, 4), st.sampled_from(["centralized", "semi-decentralized"]), st.sampled_from([0.2, 5.0]))
def test_one_full_batch_step_is_gradient_descent_on_all_data(tmp_path_factory, nodes, rounds, architecture, alpha):
    tmp, partition = tmp_path_factory.mktemp("runs"), {"name": "dirichlet", "alpha": alpha}
    federated = final(tmp / "a", nodes=nodes, until=rounds, architecture=architecture, topology="full", partition=partition)
    pooled = final(tmp / "b", nodes=1, until=rounds, partition={**partition, "pooled": nodes})
    np.testing.assert_allclose(federated, pooled, atol=1e-6)
    assert np.abs(federated - Setup(coterie.Scenario(task=TASK, seed=5, nodes=1)).initial).max() > 1e-3


@settings(max_examples=6)
@given(st.permutations(range(5)))
def test_numbering_nodes_otherwise_changes_nothing(tmp_path_factory, order):
    tmp = tmp_path_factory.mktemp("runs")
    lists = [list(range(40 * node, 40 * node + 20 + 5 * node)) for node in range(5)]
    plain, other = (
        final(tmp / name, nodes=5, until=3, partition={"name": "explicit", "lists": [lists[place] for place in places]})
        for name, places in (("a", range(5)), ("b", order))
    )
    np.testing.assert_allclose(plain, other, atol=1e-6)


@pytest.mark.parametrize("rounds", [1, 4])
def test_a_complete_graph_with_uniform_mixing_equals_one_aggregator(tmp_path, rounds):
    shape = {"nodes": 5, "until": rounds, "topology": "full", "partition": "iid", "aggregation": {"name": "mean", "mixing": "samples"}}
    centralized = final(tmp_path / "a", architecture="centralized", **shape)
    decentralized = final(tmp_path / "b", architecture="decentralized", **shape)
    np.testing.assert_allclose(centralized, decentralized, atol=1e-6)
