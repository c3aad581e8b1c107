import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Column
from coterie.tasks.preprocessing import apply

NAN = np.nan
TRAIN = [[(1, 1), (NAN, 2), (5, 9)], [(10, NAN), (20, 4)]]


def test_a_node_is_filled_by_its_own_mean_and_the_common_test_set_by_the_federations(frame):
    done = apply(["impute"], frame(train=TRAIN, test=[[(NAN, NAN)], [(NAN, 0)]], common=[(NAN, NAN), (7, 7)]))
    assert done.inputs.tolist() == [[1, 1], [3, 2], [5, 9], [10, 4], [20, 4], [3, 4], [15, 0]]
    assert done.common.tolist() == [[9, 4], [7, 7]]


def test_medians(frame):
    train = [[(1, 0), (2, 0), (100, 0), (NAN, 0)], [(4, 0), (6, 0)], [(50, 0)]]
    done = apply([{"name": "impute", "method": "median"}], frame(train=train, test=[[], [(NAN, 0)], []], common=[(NAN, 0)]))
    assert done.inputs[3, 0] == 2
    assert done.inputs[-1, 0] == 5
    # nodes' medians 2, 5, 50 stand for 3, 2, 1 values: half of the weight is reached at 2
    assert done.common[0, 0] == 2


def test_the_scope_federation_fills_what_a_node_never_has(frame):
    train = [[(1, NAN), (3, NAN)], [(10, 4), (NAN, 8)]]
    done = apply([{"name": "impute", "scope": "federation"}], frame(train=train))
    assert done.inputs[:, 1].tolist() == [6, 6, 4, 8]
    assert done.inputs[3, 0] == pytest.approx(14 / 3)
    with pytest.raises(ScenarioError, match="every value is missing in chol at node 0") as caught:
        apply(["impute"], frame(train=train, columns=["age", "chol"]))
    assert "scope: federation" in caught.value.faults[0].fix
    with pytest.raises(ScenarioError, match="no node has any value of 'column 1'"):
        apply([{"name": "impute", "scope": "federation"}], frame(train=[[(1, NAN)], [(2, NAN)]]))
    done = apply([{"name": "impute", "method": "constant", "value": -1}], frame(train=train))
    assert done.inputs[:2, 1].tolist() == [-1, -1]


def test_codes_mean_missing_everywhere_or_in_named_columns(frame):
    train = [[(-9, 0), (2, -9), (4, 6)]]
    done = apply([{"name": "impute", "codes": [-9]}], frame(train=train, common=[(-9, 1)]))
    assert done.inputs.tolist() == [[3, 0], [2, 3], [4, 6]]
    assert done.common.tolist() == [[3, 1]]
    done = apply([{"name": "impute", "codes": {"chol": [0, -9]}}], frame(train=train, columns=["age", "chol"]))
    assert done.inputs.tolist() == [[-9, 6], [2, 6], [4, 6]]
    with pytest.raises(ScenarioError, match="no column 'chl'"):
        apply([{"name": "impute", "codes": {"chl": [0]}}], frame(train=train, columns=["age", "chol"]))


def test_categories_are_left_alone_and_have_no_mean(frame):
    columns = ["age", Column("ward", ("a", "b"))]
    done = apply(["impute"], frame(train=[[(1, NAN), (NAN, 1)]], columns=columns))
    assert np.isnan(done.inputs).tolist() == [[False, True], [False, False]]
    with pytest.raises(ScenarioError, match="ward holds categories"):
        apply([{"name": "impute", "columns": ["ward"]}], frame(train=[[(1, NAN)]], columns=columns))


def test_nothing_is_pooled_a_nodes_fill_depends_on_its_own_samples_only(frame):
    mine = [(1, 1), (NAN, 3)]
    fills = [apply(["impute"], frame(train=[mine, [(other, other)]])).inputs[1, 0] for other in (5, 5000)]
    assert fills == [1, 1]
