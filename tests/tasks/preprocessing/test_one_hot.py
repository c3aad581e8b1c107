import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Column
from coterie.tasks.preprocessing import apply

WARD = Column("ward", ("burns", "eye", "heart", "skin"))


def test_the_list_of_categories_is_the_union_of_the_nodes_train_parts(frame):
    made = frame(train=[[(0, 30), (2, 40)], [(2, 50)]], test=[[(3, 1)], []], common=[(0, 5), (1, 6)], columns=[WARD, "age"])
    done = apply(["one-hot"], made)
    assert [column.name for column in done.columns] == ["ward=burns", "ward=heart", "age"]
    assert not any(column.categories for column in done.columns)
    assert done.inputs.tolist() == [[1, 0, 30], [0, 1, 40], [0, 1, 50], [0, 0, 1]]
    assert done.common.tolist() == [[1, 0, 5], [0, 0, 6]]


def test_missing_is_zero_in_all(frame):
    assert apply(["one-hot"], frame(train=[[(0, 1), (np.nan, 1)]], columns=[WARD, "age"])).inputs.tolist() == [[1, 1], [0, 1]]


def test_declared_categories_keep_their_order(frame):
    stage = {"name": "one-hot", "categories": {"ward": ["skin", "burns", "dental"]}}
    done = apply([stage], frame(train=[[(0, 1), (3, 1)]], columns=[WARD, "age"]))
    assert [column.name for column in done.columns] == ["ward=skin", "ward=burns", "ward=dental", "age"]
    assert done.inputs[:, :3].tolist() == [[0, 1, 0], [1, 0, 0]]


def test_columns_of_numbers_have_to_be_named(frame):
    made = frame(train=[[(7, 1), (3, 2)], [(7, 3)]], columns=["thal", "age"])
    with pytest.raises(ScenarioError, match="no column holds words"):
        apply(["one-hot"], made)
    done = apply([{"name": "one-hot", "columns": ["thal"]}], made)
    assert [column.name for column in done.columns] == ["thal=3", "thal=7", "age"]
    done = apply([{"name": "one-hot", "categories": {"thal": [7, 9]}}], made)
    assert done.inputs.tolist() == [[1, 0, 1], [0, 0, 2], [1, 0, 3]]
    done = apply([{"name": "one-hot", "columns": [0]}], frame(train=[[(7, 1), (3, 2)]]))
    assert [column.name for column in done.columns] == ["column 0=3", "column 0=7", "column 1"]


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ({"categories": {"wrad": ["a"]}}, "no column 'wrad'"),
        ({"categories": {"age": ["old"]}}, "age holds numbers"),
        ({"columns": ["age"], "most": 2}, "age has 3 categories"),
    ],
)
def test_faults_are_said(frame, stage, said):
    with pytest.raises(ScenarioError, match=said):
        apply([{"name": "one-hot", **stage}], frame(train=[[(0, 1), (1, 2), (1, 3)]], columns=[WARD, "age"]))
