import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import partitions


@pytest.mark.parametrize("classes", [1, 2, 3, 10])
def test_every_node_has_exactly_so_many_classes_and_all_samples_are_used(classes):
    labels = np.repeat(np.arange(10), 300)
    parts = partitions.build("pathological", classes=classes)(labels, 25, seed=4)
    assert [len(np.unique(labels[part])) for part in parts] == [classes] * 25
    assert sum(map(len, parts)) == 3000


def test_holders_share_a_class_equally():
    labels = np.repeat(np.arange(4), 100)
    parts = partitions.build("pathological", classes=2)(labels, 12)
    counts = np.array([np.bincount(labels[part], minlength=4) for part in parts])
    for column in counts.T:
        held = column[column > 0]
        assert held.max() - held.min() <= 1


def test_samples_of_a_class_that_nobody_holds_are_not_used():
    labels = np.repeat(np.arange(10), 20)
    parts = partitions.build("pathological", classes=2)(labels, 2)
    assert sum(map(len, parts)) == 20 * len(np.unique(labels[np.concatenate(parts)]))
    assert len(np.unique(labels[np.concatenate(parts)])) <= 4


def test_more_classes_than_there_are_is_refused():
    with pytest.raises(ScenarioError, match="cannot hold 4 of 3 classes"):
        partitions.build("pathological", classes=4)([0, 1, 2] * 5, 3)


def test_a_further_node_changes_nobody_elses_classes():
    labels = np.repeat(np.arange(10), 400)
    few, more = (partitions.build("pathological", classes=3)(labels, nodes) for nodes in (12, 13))
    for a, b in zip(few, more[:12], strict=True):
        assert set(labels[a]) == set(labels[b])
