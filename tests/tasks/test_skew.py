import math

import numpy as np
import pytest

from coterie.tasks import skew
from coterie.tasks.task import build


def test_distance_of_same_disjoint_and_hand_computed_mixes():
    assert skew.jensen_shannon(np.array([[1, 1], [5, 5]])) == 0
    assert skew.jensen_shannon(np.array([[3, 0], [0, 4]])) == pytest.approx(1)
    # p = (1, 0), q = (1/2, 1/2), m = (3/4, 1/4): H(m) - (H(p) + H(q)) / 2
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert skew.jensen_shannon(np.array([[2, 0], [1, 1]])) == pytest.approx(math.sqrt(entropy - 0.5))
    assert skew.jensen_shannon(np.array([[2, 3]])) == 0


def test_the_mean_is_over_all_pairs():
    counts = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    assert skew.jensen_shannon(counts) == pytest.approx(5 / 6)


def test_many_nodes_are_sampled(monkeypatch):
    counts = np.random.default_rng(0).integers(1, 20, (150, 4))
    exact = skew.jensen_shannon(counts)
    monkeypatch.setattr(skew, "PAIRS", 5000)
    assert skew.jensen_shannon(counts) == pytest.approx(exact, rel=0.03)
    assert skew.jensen_shannon(counts) != exact


def test_summary_counts_the_train_parts():
    task = build(dataset="digits", partition={"name": "pathological", "classes": 2}, nodes=10)
    found = skew.summary(task)
    assert found.classes == task.classes
    assert (found.counts > 0).sum(axis=1).tolist() == [2] * 10
    for node in range(10):
        assert np.array_equal(found.counts[node], np.bincount(task.targets[task.train[node]], minlength=10))
    assert np.array_equal(found.counts.sum(axis=1), found.sizes)


def test_more_skew_is_more_distance():
    distances = [
        skew.summary(build(dataset="digits", partition=partition, nodes=10)).jensen_shannon
        for partition in ("iid", {"name": "dirichlet", "alpha": 1.0}, {"name": "dirichlet", "alpha": 0.1})
    ]
    assert distances == sorted(distances)
    assert distances[0] < 0.2 < 0.6 < distances[2]


def test_numbers_to_predict_are_binned_in_their_own_unit():
    found = skew.summary(build(dataset="diabetes", nodes=4, partition={"name": "dirichlet", "alpha": 0.2}))
    assert len(found.classes) == 10
    assert found.classes[0].startswith("25 to ")
    assert found.classes[-1].endswith(" to 346") or float(found.classes[-1].split()[-1]) <= 346
    assert found.jensen_shannon > 0.4
