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


@given(secrets=st.lists(st.binary(min_size=16, max_size=64), min_size=1, max_size=4), size=st.integers(1, 70), count=st.integers(1, 3))
def test_orders_of_many_keys_are_those_of_each(secrets, size, count):
    keys = draws.private_keys(secrets, "batches", 3)
    at_once = draws.orders(keys, size, count)
    for place, secret in enumerate(secrets):
        alone = draws.Orders(draws.private_keys([secret], "batches", 3))
        for order in at_once[place]:
            found = alone.permutation(size)
            assert sorted(found.tolist()) == list(range(size))
            np.testing.assert_array_equal(found, order)


def test_every_order_of_few_things_is_as_likely():
    keys = draws.private_keys([draws.derived_secret(0, node) for node in range(60_000)], "batches", 1)
    orders = draws.orders(keys, 3, 2)
    for place in range(2):
        _, times = np.unique(orders[:, place], axis=0, return_counts=True)
        assert len(times) == 6
        assert abs(times - 10_000).max() < 500  # five standard deviations
    together = np.unique(orders.reshape(-1, 6), axis=0, return_counts=True)[1]
    assert len(together) == 36
    assert abs(together - 60_000 / 36).max() < 220


def test_orders_shuffle_arrays_as_numbers():
    key = draws.private_keys([bytes(16)], "batches", 1)
    things = np.arange(50, 70)
    np.testing.assert_array_equal(draws.Orders(key).permutation(things), things[draws.Orders(key).permutation(20)])
