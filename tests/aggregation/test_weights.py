import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.aggregation.weights import capped, credible


def test_what_cannot_be_a_weight():
    assert credible([1, 0, -1, math.nan, math.inf, 2.5]).tolist() == [True, True, False, False, False, True]


def test_a_lie_about_samples_gains_at_most_the_cap():
    assert capped([10, 10, 10, 1_000_000], cap=3).tolist() == [10, 10, 10, 30]


def test_zeros_do_not_lower_the_cap():
    assert capped([0, 0, 0, 10, 20], cap=1).tolist() == [0, 0, 0, 10, 15]


def test_without_a_cap_weights_stay():
    assert capped([1, 1e9], cap=math.inf).tolist() == [1, 1e9]


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(1, 10))
def test_capping_keeps_the_order_and_never_raises_a_weight(weights, cap):
    found = capped(weights, cap)
    assert (found <= np.array(weights)).all()
    order = np.argsort(weights, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
