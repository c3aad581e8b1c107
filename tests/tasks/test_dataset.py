import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Dataset

GOOD = {"name": "d", "inputs": np.ones((4, 2)), "targets": np.array([0, 1, 0, 1]), "classes": ("a", "b")}


def test_what_a_sample_weighs():
    assert Dataset(**GOOD).bytes_of_a_sample == 2 * 8 + 8
    assert Dataset(**{**GOOD, "sample_bytes": 2.5}).bytes_of_a_sample == 2.5


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"targets": np.array([0, 2, 0, 1])}, "labels run from 0 to 2 but there are 2 classes"),
        ({"targets": np.array([0, -1, 0, 1])}, "labels run from -1 to 1"),
        ({"targets": np.array([0.0, 1.0, 0.0, 1.0])}, "labels are float64"),
        ({"targets": np.zeros(4, np.int64)}, "all 4 samples are of one class \\('a'\\)"),
        ({"test_inputs": np.ones((1, 2))}, "but not both"),
        ({"test_inputs": np.ones((1, 2)), "test_targets": np.array([5])}, "labels run from 5 to 5"),
        ({"test_inputs": np.ones((0, 2)), "test_targets": np.array([], np.int64)}, "the test data: .* it is empty"),
        ({"groups": np.array([0, 1])}, "4 samples but 2 groups"),
        ({"groups": np.array([0, 1, -1, 0])}, "groups are not whole numbers from 0 on"),
        ({"groups": np.array([0, 1, 2, 0]), "group_names": ("x", "y")}, "below the number of their names"),
        ({"units": np.array([0.0, 1, 2, 0])}, "units are not whole numbers"),
        ({"inputs": np.ones((1, 2)), "targets": np.array([0.5]), "classes": ()}, "a single sample"),
        ({"inputs": np.ones(4)}, "expected \\(samples, features…\\)"),
    ],
)
def test_what_cannot_be_a_task_is_refused(change, said):
    data = Dataset(**{**GOOD, **change})
    if said is None:
        data.check()
        return
    with pytest.raises(ScenarioError, match=said):
        data.check()
