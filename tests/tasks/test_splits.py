import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.tasks.ragged import Ragged
from coterie.tasks.splits import common_test, own_test, spread


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=4, max_size=60), st.floats(0, 1), st.integers(0, 99))
def test_spread_takes_the_count_and_each_stratum_its_share(items, fraction, seed):
    pools, strata = (np.array(part) for part in zip(*items, strict=True))
    sizes = np.bincount(pools, minlength=4)
    counts = np.floor(fraction * sizes).astype(np.int64)
    draw = np.random.default_rng(seed)
    taken = spread(pools, strata, counts, draw.random(len(pools)), draw.random(4))
    assert np.array_equal(np.bincount(pools[taken], minlength=4), counts)
    for pool in range(4):
        for stratum in range(3):
            here = (pools == pool) & (strata == stratum)
            share = here.sum() * counts[pool] / max(sizes[pool], 1)
            assert abs(taken[here].sum() - share) < 1 + 1e-9


def test_every_item_is_equally_likely():
    strata = np.array([0, 1, 1, 1, 1, 1, 2, 2, 2, 2])
    hits = sum(common_test(strata, 0.3, seed).astype(int) for seed in range(3000))
    assert abs(hits / 3000 - 0.3).max() < 0.03


def test_the_common_test_set_is_stratified_and_keyed():
    labels = np.repeat(np.arange(5), [100, 50, 20, 20, 10])
    taken = common_test(labels, 0.2, seed=1)
    assert np.bincount(labels[taken]).tolist() == [20, 10, 4, 4, 2]
    assert np.array_equal(taken, common_test(labels, 0.2, seed=1))
    assert not np.array_equal(taken, common_test(labels, 0.2, seed=2))


def test_units_stay_together():
    units = np.repeat(np.arange(20), 5)
    taken = common_test(np.zeros(100, np.int64), 0.25, 0, units)
    per_unit = taken.reshape(20, 5)
    assert (per_unit.all(axis=1) | ~per_unit.any(axis=1)).all()
    assert taken.sum() == 25
    shards = Ragged.of(np.arange(100) // 50, 2)
    train, test = own_test(shards, np.zeros(100, np.int64), 0.2, 0, units)
    for node in (0, 1):
        assert not set(units[train[node]]) & set(units[test[node]])
        assert test.sizes[node] == 10


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.sampled_from([0.0, 0.1, 0.5, 0.9]))
def test_own_parts_cover_the_shard_and_train_is_never_empty(sizes, fraction):
    shards = Ragged.contiguous(np.array(sizes))
    train, test = own_test(shards, np.arange(sum(sizes)) % 3, fraction, 0)
    for node, size in enumerate(sizes):
        assert sorted([*train[node], *test[node]]) == shards[node].tolist()
        assert train.sizes[node] >= 1
        assert (test.sizes[node] >= 1) == (size > 1 and fraction > 0)


def test_a_further_node_changes_nobody_elses_split():
    labels = np.arange(60) % 4
    few = own_test(Ragged.contiguous(np.array([20, 20])), labels, 0.3, 5)
    more = own_test(Ragged.contiguous(np.array([20, 20, 20])), labels, 0.3, 5)
    for part, bigger in zip(few, more, strict=True):
        assert all(np.array_equal(part[node], bigger[node]) for node in (0, 1))
