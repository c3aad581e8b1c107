import numpy as np
import pytest

from coterie.tasks import partitions


def test_log_normal_sizes_have_the_spread():
    sizes = np.array([len(part) for part in partitions.build("log-normal", sigma=0.7)(np.zeros(2_000_000, np.int64), 2000)])
    assert np.log(sizes).std() == pytest.approx(0.7, rel=0.05)


def test_power_law_sizes_have_the_exponent():
    exponent = 2.5
    sizes = np.array([len(part) for part in partitions.build("power-law", exponent=exponent)(np.zeros(3_000_000, np.int64), 3000)])
    logs = np.log(sizes / sizes.min())
    assert 1 + 1 / logs.mean() == pytest.approx(exponent, rel=0.05)  # the maximum-likelihood (Hill) estimate


def test_every_node_draws_from_the_same_distribution():
    labels = np.arange(20_000) % 4
    for part in partitions.build("log-normal", sigma=1.0)(labels, 10):
        assert abs(np.bincount(labels[part], minlength=4) / len(part) - 0.25).max() < 3 / np.sqrt(len(part))


@pytest.mark.parametrize("name", ["log-normal", "power-law"])
def test_a_further_node_only_scales_the_others(name):
    few, more = ([len(part) for part in partitions.build(name)(np.zeros(100_000, np.int64), nodes)] for nodes in (8, 9))
    assert np.allclose(np.array(few) / few[0], np.array(more[:8]) / more[0], rtol=0.02)
