"""Agreement with Flower's rules, for the variants that it has, where it is installed."""

import importlib.util

import numpy as np
import pytest

from coterie import aggregation

BAD = 4


@pytest.fixture(scope="module")
def flower():
    if importlib.util.find_spec("flwr") is None:
        pytest.skip("flwr is not installed")
    from flwr.server.strategy import aggregate

    return aggregate


def updates():
    rows = np.random.default_rng(1).standard_normal((21, 60)) + 0.5
    rows[:BAD] *= 5
    return rows


PAIRS = {
    "median": ({}, lambda f, results: f.aggregate_median(results)),
    "trimmed_mean": ({"byzantine": BAD}, lambda f, results: f.aggregate_trimmed_avg(results, BAD / 21 + 1e-9)),
    "krum": ({"byzantine": BAD}, lambda f, results: f.aggregate_krum(results, BAD, 0)),
    "multi_krum": ({"byzantine": BAD, "selected": 5}, lambda f, results: f.aggregate_krum(results, BAD, 5)),
    "bulyan": ({"byzantine": BAD}, lambda f, results: f.aggregate_bulyan(results, BAD, f.aggregate_krum, to_keep=0)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_rules(flower, name):
    params, theirs = PAIRS[name]
    rows = updates()
    found = aggregation.build(name, **params)(rows)
    (expected,) = theirs(flower, [([row], 1) for row in rows])
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_the_mean_is_weighted_alike(flower):
    rows, samples = updates(), np.arange(1, 22)
    (expected,) = flower.aggregate([([row], int(count)) for row, count in zip(rows, samples, strict=True)])
    np.testing.assert_allclose(aggregation.build("mean")(rows, samples), expected, rtol=1e-6)
