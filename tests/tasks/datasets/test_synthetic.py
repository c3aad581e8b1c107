import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets, skew
from coterie.tasks.datasets import synthetic
from coterie.tasks.task import build


def load(nodes=20, seed=0, **params):
    return datasets.load({"name": "synthetic", **params}, nodes=nodes, seed=seed)


def test_size_and_shape():
    data = load(samples=7, features=[3, 4, 4], classes=5)
    assert data.inputs.shape == (140, 3, 4, 4)
    assert np.bincount(data.groups).tolist() == [7] * 20
    assert len(data.classes) == 5


def test_inputs_have_the_variances_of_the_paper():
    data = load(nodes=3, samples=20_000, features=6)
    for node in range(3):
        assert data.inputs[data.groups == node].var(axis=0) == pytest.approx(np.arange(1, 7) ** -1.2, rel=0.06)


def test_beta_moves_the_nodes_apart():
    def spread(beta):
        data = load(nodes=60, samples=20, beta=beta)
        return np.var([data.inputs[data.groups == node].mean() for node in range(60)])

    assert spread(0) < 0.1
    assert spread(4) == pytest.approx(4, rel=0.5)


def test_labels_are_those_of_the_nodes_own_linear_model():
    data = load(nodes=2, samples=3000, features=2, classes=3)
    mine = data.inputs[data.groups == 0], data.targets[data.groups == 0]
    luck = [np.linalg.lstsq(np.c_[mine[0], np.ones(3000)], mine[1] == label, rcond=None)[0] for label in range(3)]
    guess = np.argmax(np.c_[mine[0], np.ones(3000)] @ np.array(luck).T, axis=1)
    assert (guess == mine[1]).mean() > 0.75


@pytest.mark.parametrize("sigma", [0.0, 0.8])
def test_a_further_node_changes_nobody_elses_data(sigma, monkeypatch):
    few, more = load(nodes=5, sigma=sigma), load(nodes=6, sigma=sigma)
    kept = more.groups < 5
    assert np.array_equal(few.inputs, more.inputs[kept])
    assert np.array_equal(few.targets, more.targets[kept])
    monkeypatch.setattr(synthetic, "NUMBERS_AT_A_TIME", 1)
    assert np.array_equal(load(nodes=5, sigma=sigma).inputs, few.inputs)


def test_sizes_may_be_log_normal():
    sizes = np.bincount(load(nodes=2000, samples=50, sigma=1.0, features=2).groups)
    assert np.median(sizes) == pytest.approx(50, rel=0.1)
    assert np.log(sizes).std() == pytest.approx(1.0, rel=0.1)


def test_a_task_has_the_nodes_of_the_scenario():
    task = build(dataset={"name": "synthetic", "samples": 20}, nodes=12)
    assert task.nodes == 12
    assert task.names == ()
    assert skew.summary(task).jensen_shannon > 0.3


@pytest.mark.parametrize(
    ("nodes", "params", "said"),
    [(None, {}, "nodes: 16"), (2, {"classes": 1}, "nothing to learn"), (10**6, {"samples": 10**6}, "would fill the memory")],
)
def test_impossible_sizes_are_refused(nodes, params, said):
    with pytest.raises(ScenarioError, match=said):
        load(nodes=nodes, **params)
