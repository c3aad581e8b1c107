"""Draws are keyed by what they are about."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.core import draws


def test_the_same_key_draws_the_same_and_any_other_key_does_not():
    first = draws.public(7, "partition", 3, 5).random(8)
    np.testing.assert_array_equal(first, draws.public(7, "partition", 3, 5).random(8))
    others = [
        draws.public(8, "partition", 3, 5),
        draws.public(7, "topology", 3, 5),
        draws.public(7, "partition", 3),
        draws.public(7, "partition", 35),
        draws.public(7, "partition", 5, 3),
    ]
    assert all(not np.array_equal(first, other.random(8)) for other in others)


@given(st.integers(0, 2**63), st.integers(0, 10**6), st.integers(0, 10**6))
def test_secrets_differ_between_nodes_and_seeds(seed, a, b):
    assert len(draws.derived_secret(seed, a)) == 32
    assert (draws.derived_secret(seed, a) == draws.derived_secret(seed, b)) == (a == b)


def test_private_draws_depend_on_the_secret():
    a, b = (draws.private(draws.derived_secret(0, node), "batches", 1).random(4) for node in (0, 1))
    assert not np.array_equal(a, b)
