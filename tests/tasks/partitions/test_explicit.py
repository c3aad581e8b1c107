import json

import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import partitions
from coterie.tasks.task import build


def test_lists_are_taken_as_they_are(tmp_path):
    lists = [[4, 0], [1, 2]]
    assert [sorted(part) for part in partitions.build("explicit", lists=lists)([0, 1, 0, 1, 0])] == [[0, 4], [1, 2]]
    (tmp_path / "who.json").write_text(json.dumps(lists))
    assert [sorted(part) for part in partitions.build("explicit", path=str(tmp_path / "who.json"))([0, 1, 0, 1, 0], 2)] == [[0, 4], [1, 2]]


def test_rows_of_the_data_set_less_those_of_the_common_test_set(tmp_path):
    (tmp_path / "who.json").write_text(json.dumps([list(range(100)), list(range(100, 300))]))
    task = build(dataset="digits", partition={"name": "explicit", "path": "who.json"}, folder=str(tmp_path), seed=3)
    assert task.nodes == 2
    mine = [set(task.rows[task.train[node]]) | set(task.rows[task.test[node]]) for node in (0, 1)]
    assert mine[0] < set(range(100))
    assert mine[1] < set(range(100, 300))
    assert 60 < len(mine[0]) < 100


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "one of the two"),
        ({"lists": [[0], [0, 1]]}, "row 0 is listed 2 times \\(node 0, 1\\)"),
        ({"lists": [[0], [9]]}, "no row 9: the data set has 4"),
        ({"lists": [[0], []]}, "1 of 2 nodes have fewer than 1"),
        ({"lists": [[-1]]}, "greater than or equal to 0"),
    ],
)
def test_wrong_lists_are_refused(params, said):
    with pytest.raises(ScenarioError, match=said):
        partitions.build("explicit", **params)([0, 1, 0, 1])


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[[0, true]]", "[[0.5]]", "[[99999999999999999999]]", "[]", "[" * 100_000])
def test_a_file_that_is_something_else_is_refused(tmp_path, content):
    (tmp_path / "who.json").write_text(content)
    with pytest.raises(ScenarioError, match=r"who\.json") as caught:
        partitions.build("explicit", path=str(tmp_path / "who.json"))([0, 1])
    assert caught.value.faults[0].place == "path"


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ScenarioError, match=r"none\.json cannot be read"):
        partitions.build("explicit", path=str(tmp_path / "none.json"))([0, 1])
