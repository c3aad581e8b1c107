import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.preprocessing import apply

TRAIN = [[(0, 5), (10, 5)], [(20, 1), (40, 3)]]


def test_each_node_by_its_own_range(frame):
    done = apply(["min-max"], frame(train=TRAIN, test=[[(5, 6)], [(60, 2)]], common=[(20, 3)]))
    assert done.inputs.tolist() == [[0, 0], [1, 0], [0, 0], [1, 1], [0.5, 1], [2, 0.5]]
    assert done.common.tolist() == [[0.5, 0.5]]


def test_the_federations_range_is_that_of_the_extremes(frame):
    done = apply([{"name": "min-max", "scope": "federation"}], frame(train=TRAIN))
    assert done.inputs.tolist() == [[0, 1], [0.25, 1], [0.5, 0], [1, 0.5]]


def test_declared_bounds(frame):
    done = apply([{"name": "min-max", "minimum": 0, "maximum": 100}], frame(train=TRAIN, common=[(50, 100)]))
    assert done.inputs[:, 0] == pytest.approx([0, 0.1, 0.2, 0.4])
    assert done.common.tolist() == [[0.5, 1]]
    with pytest.raises(ScenarioError, match="not above the minimum"):
        apply([{"name": "min-max", "minimum": 1, "maximum": 1}], frame(train=TRAIN))


def test_missing_values_stay_missing_even_where_a_node_has_nothing_else(frame):
    done = apply(["min-max"], frame(train=[[(np.nan, 1), (np.nan, 3)], [(2, np.nan), (4, 5)]], common=[(3, 3)]))
    assert np.isnan(done.inputs).tolist() == [[True, False], [True, False], [False, True], [False, False]]
    assert done.common.tolist() == [[0.5, 0.5]]
