import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.targets import prepared


def test_words_and_whole_numbers_become_labels_and_test_classes_count_too():
    labels, test, names = prepared(np.array(["b", "a", "b"]), np.array(["c"]))
    assert (labels.tolist(), test.tolist(), names) == ([1, 0, 1], [2], ("a", "b", "c"))
    labels, _, names = prepared(np.array([7, 3, 7], np.uint8))
    assert (labels.tolist(), names, labels.dtype) == ([1, 0, 1], ("3", "7"), np.int64)
    labels, _, names = prepared(np.array([2.0, 1.0]), kind="classification")
    assert (labels.tolist(), names) == ([1, 0], ("1", "2"))
    assert prepared(np.array(["x", 3], dtype=object))[2] == ("3", "x")


def test_floats_are_numbers_to_predict():
    values, _, names = prepared(np.array([1.5, 2.0]))
    assert (values.dtype, names) == (np.float32, ())
    assert prepared(np.array([3, 1]), kind="regression")[0].tolist() == [3.0, 1.0]


def test_given_names_keep_the_indices():
    labels, _, names = prepared(np.array([2, 0]), names=("a", "b", "c"))
    assert (labels.tolist(), names) == ([2, 0], ("a", "b", "c"))


@pytest.mark.parametrize(
    ("targets", "kind", "said"),
    [
        (np.array([1.0, np.nan]), None, "1 of 2 targets are missing"),
        (np.array([1.0, np.inf]), None, "1 of 2 targets are missing or infinite"),
        (np.array(["a", None], dtype=object), None, "1 of 2 targets are missing"),
        (np.array(["a", "b"]), "regression", "not numbers"),
        (np.zeros((3, 2)), None, "expected one value for each sample"),
        (np.arange(5000), None, "kind: regression"),
    ],
)
def test_what_cannot_be_learned_is_refused(targets, kind, said):
    with pytest.raises(ScenarioError, match=said):
        prepared(targets, kind=kind)
