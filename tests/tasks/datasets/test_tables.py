"""csv and parquet, which share how a table becomes a data set."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.task import build

CSV = """age,ward,chol,ill,hospital
63,eye,233,yes,Basel
41,heart,,no,Bern
55,eye,?,no,Basel
38,,180,yes,Chur
70,skin,210,yes,Bern
"""


@pytest.fixture
def csv(tmp_path):
    def load(content=CSV, **params):
        (tmp_path / "patients.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        return datasets.load({"name": "csv", "path": "patients.csv", "target": "ill", **params}, folder=str(tmp_path))

    return load


def test_numbers_words_and_missing_values(csv):
    data = csv(node="hospital")
    assert [column.name for column in data.columns] == ["age", "ward", "chol"]
    assert data.columns[1].categories == ("eye", "heart", "skin")
    nan = np.nan
    expected = [[63, 0, 233], [41, 1, nan], [55, 0, nan], [38, nan, 180], [70, 2, 210]]
    assert data.inputs == pytest.approx(np.array(expected), nan_ok=True)
    assert (data.classes, data.targets.tolist()) == (("no", "yes"), [1, 0, 0, 1, 1])
    assert (data.group_names, data.groups.tolist()) == (("Basel", "Bern", "Chur"), [0, 1, 0, 2, 1])


def test_chosen_columns_separator_and_compression(csv, tmp_path):
    data = csv(CSV.replace(",", ";"), separator=";", features=["chol", "age"])
    assert [column.name for column in data.columns] == ["chol", "age"]
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(CSV.encode()))
    assert len(datasets.load({"name": "csv", "path": str(tmp_path / "packed.csv.gz"), "target": "ill"}).inputs) == 5


def test_numbers_to_predict(csv):
    data = csv(target="age", features=["chol"], kind="regression")
    assert (data.classes, data.targets.tolist()) == ((), [63, 41, 55, 38, 70])


def test_a_test_file_shares_the_categories(csv, tmp_path):
    (tmp_path / "later.csv").write_text("ill,hospital,chol,ward,age\nno,Zug,200,bone,50\n")
    data = csv(test="later.csv")
    assert data.columns[1].categories == ("bone", "eye", "heart", "skin")
    assert data.test_inputs.tolist() == [[50, 0, 200, 3]]  # hospital is a feature where nobody says otherwise
    assert data.test_targets.tolist() == [0]


def test_one_file_for_each_node(tmp_path):
    for name, first in (("south", 1), ("north", 100)):
        (tmp_path / f"{name}.csv").write_text("a,b,y\n" + "".join(f"{first + i},{i},{i % 2}\n" for i in range(12)))
    task = build(dataset={"name": "csv", "path": [str(tmp_path / "south.csv"), str(tmp_path / "north.csv")], "target": "y"})
    assert task.names == ("north", "south")
    assert task.inputs[task.train[0], 0].min() >= 100
    (tmp_path / "north.csv").write_text("a,y\n1,0\n")
    with pytest.raises(ScenarioError, match="do not have the same columns: b"):
        datasets.load({"name": "csv", "path": str(tmp_path), "target": "y"})


def test_words_have_to_be_turned_into_numbers(tmp_path):
    rows = "".join(f"{i},{'abc'[i % 3]},{i % 2}\n" for i in range(40))
    (tmp_path / "d.csv").write_text("n,letter,y\n" + rows)
    choice = {"name": "csv", "path": str(tmp_path / "d.csv"), "target": "y"}
    with pytest.raises(ScenarioError, match=r"1 columns hold words: letter.*one-hot"):
        build(dataset=choice, nodes=3)
    task = build(dataset=choice, nodes=3, preprocess=["standardize", "one-hot"])
    assert task.columns == ("n", "letter=a", "letter=b", "letter=c")
    shifted = build(dataset=choice, nodes=3, preprocess=["one-hot"], partition="affine")
    assert set(shifted.inputs[:, 1:].ravel()) == {0.0, 1.0}
    by_letter = build(dataset=choice, partition={"name": "natural", "by": "letter"}, preprocess=["one-hot"])
    assert by_letter.nodes == 3


@pytest.mark.parametrize(
    ("content", "params", "said", "place"),
    [
        (CSV, {"target": "il"}, "no column 'il' among age, ward.*did you mean 'ill'", "target"),
        (CSV, {"features": ["age", "weight"]}, "no column 'weight'", "features"),
        (CSV, {"node": "clinic"}, "no column 'clinic'", "node"),
        (CSV, {"features": ["ill"]}, "is among the features", "features"),
        ("ill\nyes\nno\n", {}, "no column but the target", "features"),
        ("", {}, "cannot be read.*[Ee]mpty", "path"),
        ("age,ill\n", {}, "has columns but no rows", "path"),
        (CSV + "1,2\n", {}, "Expected 5 columns, got 2", "path"),
        ("age,age,ill\n1,2,yes\n", {}, "two columns are called 'age'", "path"),
        (CSV.replace(",no,", ",,", 1), {}, "1 of 5 targets are missing", "target"),
        (CSV.replace("Chur", ""), {"node": "hospital"}, "1 of 5 samples do not say whose", "node"),
        ("born,ill\n2020-01-01,yes\n2021-01-01,no\n", {}, "'born' holds date32.*neither numbers nor words", "features"),
        (b"\x93NUMPY\xff\xfe\x00,\n1\n", {}, "no column 'ill'|cannot be read", "target"),
    ],
)
def test_wrong_tables_are_refused(csv, content, params, said, place):
    with pytest.raises(ScenarioError, match=said) as caught:
        csv(content, **params)
    assert caught.value.faults[0].place in {place, "path"}


def test_parquet_columns_of_every_kind(tmp_path):
    table = pa.table(
        {
            "i": pa.array([1, None, 3, 4], pa.int16()),
            "f": [0.5, 1.5, float("nan"), 2.5],
            "b": [True, False, None, True],
            "w": pa.array(["x", "y", None, "x"]).dictionary_encode(),
            "none": pa.nulls(4),
            "y": pa.array(["p", "q", "p", "q"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "d.parquet", row_group_size=2)
    data = datasets.load({"name": "parquet", "path": str(tmp_path / "d.parquet"), "target": "y"})
    nan = np.nan
    expected = [[1, 0.5, 1, 0, nan], [nan, 1.5, 0, 1, nan], [3, nan, nan, nan, nan], [4, 2.5, 1, 0, nan]]
    assert data.inputs == pytest.approx(np.array(expected), nan_ok=True)
    assert data.columns[3].categories == ("x", "y")
    assert data.classes == ("p", "q")


def test_a_column_of_lists_is_an_array(tmp_path):
    images = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    nested = pa.array(images.tolist(), pa.list_(pa.list_(pa.float32())))
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(images.ravel()), 6)
    pq.write_table(pa.table({"nested": nested, "fixed": fixed, "y": [0, 1, 0, 1]}), tmp_path / "d.parquet")

    def load(*features):
        return datasets.load({"name": "parquet", "path": str(tmp_path / "d.parquet"), "target": "y", "features": features})

    assert np.array_equal(load("nested").inputs, images)
    assert np.array_equal(load("fixed").inputs, images.reshape(4, 6))
    with pytest.raises(ScenarioError, match="take it as the only one"):
        load("nested", "fixed")


@pytest.mark.parametrize(
    ("lists", "said"),
    [([[1, 2], [3]], "differ in length"), ([[1], None], "differ in length"), ([["a"], ["b"]], "hold string, not numbers")],
)
def test_uneven_lists_are_refused(tmp_path, lists, said):
    pq.write_table(pa.table({"x": lists, "y": [0, 1]}), tmp_path / "d.parquet")
    with pytest.raises(ScenarioError, match=said):
        datasets.load({"name": "parquet", "path": str(tmp_path / "d.parquet"), "target": "y"})


def test_parquet_files_for_each_node_and_damaged_ones(tmp_path):
    for name in ("b", "a"):
        pq.write_table(pa.table({"x": np.arange(20.0), "y": np.arange(20) % 2}), tmp_path / f"{name}.parquet")
    task = build(dataset={"name": "parquet", "path": str(tmp_path), "target": "y"})
    assert task.names == ("a", "b")
    content = (tmp_path / "a.parquet").read_bytes()
    for damaged in (content[:-30], b"PAR1", b""):
        (tmp_path / "a.parquet").write_bytes(damaged)
        with pytest.raises(ScenarioError, match=r"a\.parquet cannot be read"):
            datasets.load({"name": "parquet", "path": str(tmp_path), "target": "y"})
