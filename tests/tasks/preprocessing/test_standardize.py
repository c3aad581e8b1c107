import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Column
from coterie.tasks.preprocessing import apply
from coterie.tasks.task import build


def test_own_statistics_for_a_node_and_the_federations_for_the_common_test_set(frame):
    made = frame(
        train=[[(1, 10), (3, 10)], [(10, 0), (20, 4)]],
        test=[[(5, 12)], [(0, 2)]],
        common=[(8.5, 6)],
    )
    done = apply(["standardize"], made)
    assert done.inputs.tolist() == [[-1, 0], [1, 0], [-1, -1], [1, 1], [3, 2], [-3, 0]]
    assert done.common.tolist() == [[0, 0]]  # the mean of all four train samples


def test_the_scope_federation_equals_statistics_of_the_pooled_train_parts(frame):
    draw = np.random.default_rng(0)
    parts = [draw.normal(3, 5, (size, 2)) for size in (5, 9, 2)]
    done = apply([{"name": "standardize", "scope": "federation"}], frame(train=parts, test=[[(1, 1)]] * 3, common=[(0, 0)]))
    pooled = np.concatenate(parts)
    assert done.inputs[:16] == pytest.approx((pooled - pooled.mean(0)) / pooled.std(0), abs=1e-5)
    assert done.common[0] == pytest.approx(-pooled.mean(0) / pooled.std(0), abs=1e-5)


def test_test_parts_and_the_common_test_set_do_not_move_the_statistics(frame):
    train = [[(1, 2), (3, 4)], [(5, 6), (9, 8)]]
    quiet, loud = (apply(["standardize"], frame(train=train, test=[[(t, t)]] * 2, common=[(t, t)])) for t in (0, 1e6))
    assert np.array_equal(quiet.inputs[:4], loud.inputs[:4])


def test_only_chosen_columns_and_no_categories(frame):
    columns = ["age", Column("ward", ("a", "b"))]
    done = apply(["standardize"], frame(train=[[(1, 0), (3, 1)]], columns=columns))
    assert done.inputs.tolist() == [[-1, 0], [1, 1]]
    done = apply([{"name": "standardize", "columns": [1]}], frame(train=[[(1, 0), (3, 2)]]))
    assert done.inputs.tolist() == [[1, -1], [3, 1]]
    with pytest.raises(ScenarioError, match="did you mean 'age'") as caught:
        apply([{"name": "standardize", "columns": ["aeg"]}], frame(train=[[(1, 0)]], columns=columns))
    assert caught.value.faults[0].place == "0.columns"
    with pytest.raises(ScenarioError, match="columns are 0 to 1"):
        apply([{"name": "standardize", "columns": [2]}], frame(train=[[(1, 0)]]))


def test_missing_values_stay_missing(frame):
    done = apply(["standardize"], frame(train=[[(1, np.nan), (3, 2), (np.nan, 4)]]))
    assert np.isnan(done.inputs).tolist() == [[False, True], [False, False], [True, False]]
    assert done.inputs[:2, 0].tolist() == [-1, 1]


def test_images_are_standardized_by_channel():
    task = build(dataset="digits", nodes=3, preprocess=["standardize"])
    for node in range(3):
        mine = task.inputs[task.train[node]]
        assert mine.mean() == pytest.approx(0, abs=1e-4)
        assert mine.std() == pytest.approx(1, abs=1e-4)
    assert abs(task.common_inputs.mean()) < 0.05
