import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.errors import ScenarioError
from coterie.tasks.minimum import ensured


def test_the_richest_give_and_others_keep_what_they_have():
    owners = np.repeat([0, 1, 2, 3], [10, 6, 3, 0])
    keys = np.random.default_rng(0).random(19)
    changed = ensured(owners, 4, 3, keys)
    assert np.bincount(changed, minlength=4).tolist() == [7, 6, 3, 3]
    assert set(np.flatnonzero(changed != owners)) <= set(range(10))


def test_nothing_changes_where_everybody_has_enough():
    owners = np.array([0, 1, 0, 1, -1])
    assert ensured(owners, 2, 2, np.zeros(5)) is owners


@given(st.lists(st.integers(-1, 5), min_size=6, max_size=60), st.integers(1, 4))
def test_everybody_gets_the_minimum_or_it_is_refused(owners, minimum):
    before = np.array(owners)
    keys = np.random.default_rng(len(owners)).random(len(before))
    owned = np.count_nonzero(before >= 0)
    if owned < 6 * minimum:
        with pytest.raises(ScenarioError, match=f"cannot give 6 nodes {minimum} each"):
            ensured(before, 6, minimum, keys)
        return
    after = ensured(before, 6, minimum, keys)
    old, new = (np.bincount(o[o >= 0], minlength=6) for o in (before, after))
    assert new.min() >= minimum
    assert new.sum() == owned
    assert np.array_equal(after < 0, before < 0)
    assert np.count_nonzero(before != after) == np.maximum(minimum - old, 0).sum()
    assert (new[old < minimum] == minimum).all()


def test_the_refusal_says_how_many_nodes_would_do():
    with pytest.raises(ScenarioError, match="at most 2 nodes"):
        ensured(np.zeros(5, np.int64), 3, 2, np.zeros(5))
