import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import partitions

LABELS = [0, 1] * 6
GROUPS = ["c"] * 6 + ["a"] * 4 + ["b"] * 2


def deal(nodes=None, minimum=1, **params):
    return [part.tolist() for part in partitions.build("natural", **params)(LABELS, nodes, groups=GROUPS, minimum=minimum)]


def test_one_node_for_each_group_in_the_order_of_their_names():
    assert deal() == [[6, 7, 8, 9], [10, 11], [0, 1, 2, 3, 4, 5]]


def test_fewer_nodes_take_the_largest_or_random_groups():
    assert deal(2) == [[6, 7, 8, 9], [0, 1, 2, 3, 4, 5]]
    seen = {tuple(map(tuple, partitions.build("natural", choose="random")(LABELS, 1, seed, groups=GROUPS))) for seed in range(20)}
    assert len(seen) == 3


def test_small_groups_are_refused_by_name_or_dropped():
    with pytest.raises(ScenarioError, match=r"fewer than 3 samples: b \(2\)"):
        deal(minimum=3)
    assert deal(minimum=3, small="drop") == [[6, 7, 8, 9], [0, 1, 2, 3, 4, 5]]
    assert deal(2, minimum=3) == deal(minimum=3, small="drop")


def test_too_many_nodes_are_refused():
    with pytest.raises(ScenarioError, match="3 natural nodes") as caught:
        deal(4)
    assert "nodes: 3" in caught.value.faults[0].fix


def test_data_without_groups_are_refused():
    with pytest.raises(ScenarioError, match="does not say whose"):
        partitions.build("natural")(LABELS, 2)
    with pytest.raises(ScenarioError, match="no column called 'ward'"):
        partitions.build("natural", by="ward")(LABELS, 2)


def test_groups_may_be_numbers():
    assert [part.tolist() for part in partitions.build("natural")([0, 1, 0], groups=np.array([7, 7, 3]))] == [[2], [0, 1]]
