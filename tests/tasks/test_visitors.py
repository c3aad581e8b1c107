"""Samples from elsewhere in the terms of a data set: by hand, and as the common test set of a task."""

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.dataset import Column, Dataset
from coterie.tasks.task import build
from coterie.tasks.visitors import in_terms_of

NAN = np.nan


def table(inputs, targets, classes, columns):
    return Dataset(
        name="t",
        inputs=np.array(inputs, np.float32),
        targets=np.array(targets),
        classes=classes,
        columns=tuple(Column(name, words) for name, words in columns.items()),
    )


HOME = table([[1, 0], [2, 1]], [0, 1], ("no", "yes"), {"x": (), "word": ("u", "v")})


def test_columns_words_and_classes_are_found_by_name():
    away = table(
        [[1, 9, 5], [0, 9, 6], [2, 9, NAN], [NAN, 9, 8]], [0, 0, 1, 0], ("yes", "no"), {"word": ("new", "u", "v"), "more": (), "x": ()}
    )
    found = in_terms_of(HOME, away)
    np.testing.assert_array_equal(found.inputs, [[5, 0], [6, NAN], [NAN, 1], [8, NAN]])
    assert found.targets.tolist() == [1, 1, 0, 1]
    assert (found.classes, found.columns) == (HOME.classes, HOME.columns)


def test_words_that_look_like_numbers_are_words_where_they_were():
    home = table([[0], [1]], [0, 1], ("a", "b"), {"code": ("1", "x")})
    assert in_terms_of(home, table([[1], [2]], [0, 0], ("a",), {"code": ()})).inputs[0].tolist() == [0]


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (table([[1.0]], [0], ("no",), {"x": ()}), "no column word"),
        (table([[0, 0]], [0], ("no",), {"x": ("a",), "word": ("u",)}), "column x holds words, such as 'a'"),
        (table([[1, 0]], [0], ("perhaps",), {"x": (), "word": ("u",)}), "classes perhaps"),
    ],
)
def test_what_does_not_fit_is_told(away, said):
    with pytest.raises(ScenarioError, match=said):
        in_terms_of(HOME, away)


def test_shapes_and_tokens_have_to_fit():
    home = Dataset(name="t", inputs=np.array([[1, 2]]), targets=np.array([0]), classes=("a",), vocabulary=5)
    for inputs, said in (([[1, 5]], "tokens run from 1 to 5"), ([[1, 2, 3]], r"shape \(3,\)")):
        with pytest.raises(ScenarioError, match=said):
            in_terms_of(home, Dataset(name="t", inputs=np.array(inputs), targets=np.array([0]), classes=("a",)))


def test_visitors_change_nothing_but_the_common_test_set():
    settings = {"dataset": "wine", "nodes": 4, "preprocess": [{"name": "standardize", "scope": "federation"}]}
    data = datasets.load("wine")
    home, visited = build(**settings), build(**settings, visitors=data)
    assert np.array_equal(home.inputs, visited.inputs)
    assert visited.partition == home.partition == "iid"
    common = {row.tobytes() for row in home.common_inputs}
    assert common < {row.tobytes() for row in visited.common_inputs}
    assert len(visited.common_targets) == 178


def test_numbers_to_predict_are_put_into_the_scale_that_the_model_predicts():
    settings = {"dataset": "diabetes", "nodes": 4, "preprocess": ["standardize-target"]}
    visited = build(**settings, visitors=datasets.load("diabetes"))
    raw = visited.target_offset + visited.target_scale * visited.common_targets
    np.testing.assert_allclose(raw, datasets.load("diabetes").targets, rtol=1e-5)
