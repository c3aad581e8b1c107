import numpy as np
import pytest

from coterie.tasks import partitions


def mixes(alpha, nodes=50, classes=4, per_class=5000, seed=0):
    """(nodes, classes): what share of each class a node got."""
    labels = np.repeat(np.arange(classes), per_class)
    parts = partitions.build("dirichlet", alpha=alpha)(labels, nodes, seed, minimum=0)
    return np.array([np.bincount(labels[part], minlength=classes) for part in parts]) / per_class


@pytest.mark.parametrize("alpha", [0.1, 1.0, 10.0])
def test_shares_have_the_mean_and_variance_of_the_distribution(alpha):
    nodes = 20
    shares = np.concatenate([mixes(alpha, nodes, seed=seed) for seed in range(60)])
    assert shares.mean() == pytest.approx(1 / nodes, rel=1e-6)
    variance = (1 / nodes) * (1 - 1 / nodes) / (nodes * alpha + 1)
    assert shares.var() == pytest.approx(variance, rel=0.12)


@pytest.mark.parametrize("alpha", [1e-3, 1e-6])
def test_a_tiny_alpha_gives_each_class_one_owner(alpha):
    assert (mixes(alpha, nodes=16).max(axis=0) > 0.99).sum() >= 3


def test_a_further_node_only_scales_the_others_shares():
    few, more = mixes(0.5, nodes=10), mixes(0.5, nodes=11)
    ratio = few / np.maximum(more[:10].sum(axis=0), 1e-12) * more[:10].sum(axis=0)
    scaled = more[:10] / more[:10].sum(axis=0)
    assert abs(scaled - ratio / few.sum(axis=0)).max() < 2e-3


def test_numbers_to_predict_are_dealt_by_bins():
    values = np.random.default_rng(0).normal(size=2000)
    parts = partitions.build("dirichlet", alpha=0.05, bins=4)(values, 4, seed=2)
    assert np.std([values[part].mean() for part in parts]) > 0.3
