import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.preprocessing import apply
from coterie.tasks.task import build


def test_all_nodes_share_the_federations_mean_and_deviation(frame):
    done = apply(["standardize-target"], frame(train=[[(0, 0), (0, 0)], [(0, 0)]], test=[[(0, 0)], []], targets=[1, 3, 5, 9]))
    deviation = np.std([1, 3, 5])
    assert done.targets == pytest.approx(np.array([-2, 0, 2, 6]) / deviation)
    assert (done.target_offset, done.target_scale) == (3, pytest.approx(deviation))
    assert done.common_targets == pytest.approx([-3 / deviation])


def test_a_task_can_be_put_back_into_its_unit():
    task, raw = (build(dataset="diabetes", nodes=3, preprocess=stages) for stages in (None, []))
    assert task.targets * task.target_scale + task.target_offset == pytest.approx(raw.targets, rel=1e-4)
    assert task.common_targets * task.target_scale + task.target_offset == pytest.approx(raw.common_targets, rel=1e-4)


def test_classes_have_no_mean():
    with pytest.raises(ScenarioError, match="classes, not numbers"):
        build(dataset="wine", nodes=2, preprocess=["standardize-target"])
