import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.preprocessing import apply
from coterie.tasks.task import build


def test_flatten():
    task = build(dataset="digits", nodes=2, preprocess=["flatten"])
    assert task.features == (64,)
    plain = build(dataset="digits", nodes=2)
    assert np.array_equal(task.inputs, plain.inputs.reshape(-1, 64))
    assert np.array_equal(task.common_inputs, plain.common_inputs.reshape(-1, 64))


def test_reshape():
    task = build(dataset="digits", nodes=2, preprocess=["flatten", {"name": "reshape", "shape": [1, 4, 16]}])
    assert task.features == (1, 4, 16)


def test_channels_last(frame):
    made = frame(train=[[np.arange(12)]], common=[np.arange(12)])
    done = apply([{"name": "reshape", "shape": [2, 2, 3], "channels_last": True}], made)
    assert done.features == (3, 2, 2)
    assert done.inputs[0, 1].tolist() == [[1, 4], [7, 10]]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"shape": [2, 5]}, "12 values\\), not 10"),
        ({"shape": [3, 4], "channels_last": True}, "not \\(height, width, channels\\)"),
        ({}, "is missing"),
    ],
)
def test_wrong_shapes_are_refused(frame, stage, said):
    with pytest.raises(ScenarioError, match=said):
        apply([{"name": "reshape", **stage}], frame(train=[[np.arange(12)]], common=[np.arange(12)]))
