"""Selections: how many, whom, and that nobody's luck depends on others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import selection
from coterie.core import draws
from coterie.core.errors import ScenarioError

ids = st.lists(st.integers(0, 60), min_size=1, max_size=40, unique=True).map(lambda found: np.array(sorted(found), np.int64))


def select(name, eligible, round=0, seed=0, **params):
    return selection.build(name, **params)(round, np.asarray(eligible), draws.public(seed, "selection", round))


@given(ids, st.integers(1, 50), st.integers(0, 3))
def test_a_number_of_nodes_is_ascending_and_among_those_eligible(eligible, count, round):
    chosen = select("number", eligible, round, count=count)
    assert len(chosen) == min(count, len(eligible))
    assert set(chosen) <= set(eligible)
    assert (np.diff(chosen) > 0).all()


def test_everybody():
    assert select("all", [2, 5, 7]).tolist() == [2, 5, 7]


@pytest.mark.parametrize(
    ("share", "of", "count"), [(0.1, 100, 10), (0.1, 3, 1), (0.25, 10, 3), (1.0, 7, 7), (0.29, 100, 29), (0.001, 5, 1)]
)
def test_a_fraction_is_the_nearest_number_and_at_least_one(share, of, count):
    assert len(select("fraction", np.arange(of), share=share)) == count


def test_everybody_is_drawn_as_often():
    counts = np.bincount(np.concatenate([select("number", np.arange(20), round, count=5) for round in range(2000)]), minlength=20)
    assert np.abs(counts / 2000 - 0.25).max() < 0.05  # five standard deviations


def test_rounds_and_seeds_differ_and_repeat():
    first = select("number", np.arange(1000), 1, count=10).tolist()
    assert first == select("number", np.arange(1000), 1, count=10).tolist()
    assert first != select("number", np.arange(1000), 2, count=10).tolist()
    assert first != select("number", np.arange(1000), 1, seed=1, count=10).tolist()


@given(ids, st.integers(1, 20), st.data())
def test_one_node_less_changes_at_most_one_other(eligible, count, data):
    gone = data.draw(st.sampled_from(eligible.tolist()))
    before, after = set(select("number", eligible, count=count)), set(select("number", eligible[eligible != gone], count=count))
    assert before - after <= {gone}
    assert len(after - before) <= 1
    if gone not in before:
        assert after == before


def test_nobody_eligible():
    assert select("number", np.empty(0, np.int64), count=3).tolist() == []
    assert select("fraction", np.empty(0, np.int64), share=0.5).tolist() == []


@pytest.mark.parametrize(
    ("name", "params", "place"),
    [
        ("number", {"count": 0}, "participation.count"),
        ("number", {}, "participation.count"),
        ("fraction", {"share": 1.5}, "participation.share"),
        ("al", {}, "participation"),
    ],
)
def test_faults_have_their_place(name, params, place):
    with pytest.raises(ScenarioError) as caught:
        selection.build(name, **params)
    assert [fault.place for fault in caught.value.faults] == [place]
