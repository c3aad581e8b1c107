"""What every partition keeps, whatever it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.errors import ScenarioError
from coterie.tasks import partitions
from coterie.tasks.partitions import PARTITIONS

DRAWN = ["iid", "dirichlet", "shards", "pathological", "log-normal", "power-law", "rotation", "noise", "affine"]
SOME = {"explicit": {"lists": [[0, 5], [1, 2, 3]]}}


def test_every_partition_is_under_test():
    assert set(DRAWN) | {"natural", "explicit"} == set(PARTITIONS.names())


@pytest.mark.parametrize("name", DRAWN)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 3), st.booleans())
def test_each_sample_once_at_most_and_the_minimum_for_all(name, nodes, minimum, seed, numbers):
    labels = np.random.default_rng(seed).integers(0, 4, 64) if not numbers else np.random.default_rng(seed).normal(size=64)
    parts = partitions.build(name)(labels, nodes, seed, minimum=minimum)
    assert len(parts) == nodes
    together = np.concatenate(parts)
    assert len(np.unique(together)) == len(together)
    assert together.min() >= 0
    assert together.max() < 64
    assert min(map(len, parts)) >= minimum
    if name != "pathological" or nodes >= 10:
        assert len(together) == 64


@pytest.mark.parametrize("name", DRAWN)
def test_the_seed_decides(name):
    labels = np.arange(200) % 5
    deal = partitions.build(name)
    first, same, other = (deal(labels, 8, seed) for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("name", DRAWN)
def test_too_few_samples_are_refused_with_the_number_of_nodes_that_would_do(name):
    with pytest.raises(ScenarioError, match=r"cannot give 20 nodes 2 each|cannot be cut|→ take at most 15") as caught:
        partitions.build(name)([0, 1, 2] * 10, 20, minimum=2)
    assert caught.value.faults[0].fix


@pytest.mark.parametrize("name", DRAWN)
def test_the_number_of_nodes_has_to_be_known(name):
    with pytest.raises(ScenarioError, match="how many nodes"):
        partitions.build(name)([0, 1] * 10)


def test_one_node_gets_everything_and_no_node_is_refused():
    assert len(partitions.build("dirichlet")([0, 1] * 10, 1)[0]) == 20
    with pytest.raises(ScenarioError, match="0 nodes"):
        partitions.build("iid")([0, 1], 0)
    with pytest.raises(ScenarioError, match="expected \\(samples,\\)"):
        partitions.build("iid")([], 2)


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("dirichlet", {"alpha": 0}, "greater than 0"),
        ("dirichlet", {"alhpa": 1}, "did you mean 'alpha'"),
        ("dirichle", {}, "did you mean 'dirichlet'"),
        ("power-law", {"exponent": 1}, "greater than 1"),
        ("rotation", {"of": {"name": "dirichlet", "alpha": -1}}, "greater than 0"),
        ("noise", {"of": "iidd"}, "did you mean 'iid'"),
    ],
)
def test_wrong_parameters_are_said(name, params, said):
    with pytest.raises(ScenarioError, match=said):
        partitions.build(name, **params)


def test_a_users_partition_is_held_to_the_promises():
    from coterie.tasks.ragged import Ragged

    def deal(lists):
        return partitions.Partition("mine", lambda pool: Ragged.from_lists(lists))([0, 1, 2, 3], 2, minimum=1)

    assert [part.tolist() for part in deal([[3], [0, 1]])] == [[3], [0, 1]]
    for lists, said in (
        ([[0]], "made 1 shards for 2 nodes"),
        ([[0], [4]], "deals out samples 0 to 4 of 4"),
        ([[0, 1], [1]], "gives a sample to two nodes"),
        ([[0, 1], []], r"1 of 2 nodes have fewer than 1 samples: node 1 \(0\)"),
    ):
        with pytest.raises(ScenarioError, match=said):
            deal(lists)


def test_words_serve_as_labels():
    parts = partitions.build("pathological", classes=1)(["cat"] * 10 + ["dog"] * 10, 2)
    assert sorted(len({i // 10 for i in part.tolist()}) for part in parts) == [1, 1]


def test_a_hundred_thousand_nodes():
    labels = np.arange(300_000) % 10
    for name in ("iid", "dirichlet", "shards", "pathological", "log-normal"):
        parts = partitions.build(name, **({"per_node": 1} if name == "shards" else {}))(labels, 100_000, minimum=1)
        assert len(parts) == 100_000
        assert min(map(len, parts)) >= 1
