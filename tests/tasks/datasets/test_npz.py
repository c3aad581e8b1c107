from dataclasses import replace

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.task import build

DRAW = np.random.default_rng(0)
X, Y = DRAW.normal(size=(40, 3)), np.arange(40) % 3


@pytest.fixture
def load(tmp_path):
    def make(arrays, **params):
        np.savez_compressed(tmp_path / "data.npz", **arrays)
        return datasets.load({"name": "npz", "path": "data.npz", **params}, folder=str(tmp_path))

    return make


def test_usual_names_are_found(load):
    assert np.array_equal(load({"x": X, "y": Y}).inputs, X)
    data = load({"x_train": X, "y_train": Y, "x_test": X[:5], "y_test": Y[:5], "other": X})
    assert (len(data.inputs), len(data.test_inputs)) == (40, 5)
    assert load({"x_train": X, "y_train": Y}).test_inputs is None


def test_arrays_by_name(load):
    data = load(
        {"a": X, "b": Y, "c": X[:, 0], "who": np.array(["north", "south"])[Y % 2], "names": np.array(["u", "v", "w", "z"])},
        features=["a", "c"],
        target="b",
        node="who",
        columns="names",
    )
    assert np.array_equal(data.inputs, np.c_[X, X[:, 0]])
    assert [column.name for column in data.columns] == ["u", "v", "w", "z"]
    assert data.group_names == ("north", "south")
    assert np.array_equal(data.groups, Y % 2)


def test_names_of_classes(load):
    data = load({"x": X, "y": Y, "called": np.array(["ant", "bee", "cat", "dog"])}, classes="called")
    assert data.classes == ("ant", "bee", "cat", "dog")
    assert np.array_equal(data.targets, Y)


def test_one_file_for_each_node(tmp_path):
    (tmp_path / "clinics").mkdir()
    for number, name in enumerate(("west", "east")):
        np.savez(tmp_path / "clinics" / f"{name}.npz", x=np.full((10, 2), number), y=np.arange(10) % 2)
    task = build(dataset={"name": "npz", "path": "clinics/*.npz"}, folder=str(tmp_path), seed=1)
    assert task.names == ("east", "west")
    assert set(task.inputs[task.train[0]].ravel()) == {1.0}
    np.savez(tmp_path / "clinics" / "north.npz", x=np.zeros((10, 3)), y=np.arange(10) % 2)
    with pytest.raises(ScenarioError, match=r"west\.npz has samples of the shape \(2,\)|samples of the shape \(3,\)"):
        datasets.load({"name": "npz", "path": "clinics"}, folder=str(tmp_path))


def test_tokens(load):
    data = load({"x": np.arange(40).reshape(20, 2) % 7, "y": np.arange(20) % 2}, vocabulary=7)
    data.check()
    with pytest.raises(ScenarioError, match="tokens run from 0 to 6, a vocabulary of 5"):
        load({"x": np.arange(40).reshape(20, 2) % 7, "y": np.arange(20) % 2}, vocabulary=5).check()
    with pytest.raises(ScenarioError, match="tokens are integers, these are float64"):
        load({"x": X, "y": Y}, vocabulary=5).check()


@pytest.mark.parametrize(
    ("arrays", "params", "said", "place"),
    [
        ({"a": X, "b": Y}, {}, "holds a, b: which are they", "features"),
        ({"a": X, "b": Y}, {"features": "a"}, "name the arrays: target", "target"),
        ({"x": X, "y": Y}, {"features": "X", "target": "y"}, "has no array 'X', but x, y", "features"),
        ({"x": X, "y": Y}, {"target": "labels", "features": "x"}, "has no array 'labels'", "target"),
        ({"x": X, "y": Y}, {"node": "who"}, "has no array 'who'", "node"),
        ({"x": X, "y": Y}, {"test_features": "x"}, "needs features and a target", "test_features"),
        ({"x": X, "z": X[:5], "y": Y}, {"features": ["x", "z"], "target": "y"}, "cannot be put side by side", "features"),
        ({"x": X, "y": Y, "n": np.array(["a"])}, {"columns": "n"}, "1 names for samples of the shape \\(3,\\)", "columns"),
        ({"x": np.array([None, 1]), "y": Y}, {}, "holds Python objects, which are never loaded", "path"),
        ({"x": X, "y": np.float64(3)}, {}, "not an array of samples", ""),
    ],
)
def test_wrong_arrays_are_refused(load, arrays, params, said, place):
    with pytest.raises(ScenarioError, match=said) as caught:
        load(arrays, **params)
    assert caught.value.faults[0].place == place


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X, "y": Y[:39]}, "40 inputs but targets of shape \\(39,\\)"),
        ({"x": X[:, 0], "y": Y}, None),
        ({"x": X[:0], "y": Y[:0]}, "it is empty"),
        ({"x": X[:, :0], "y": Y}, "it is empty"),
        ({"x": X, "y": np.zeros(40, np.int64)}, "all 40 samples are of one class \\('0'\\)"),
        ({"x": X.astype(str), "y": Y}, "expected numbers"),
        ({"x": X * 1j, "y": Y}, "expected numbers"),
        ({"x_train": X, "y_train": Y, "x_test": X[:, :2], "y_test": Y}, "test samples have the shape \\(2,\\), the others \\(3,\\)"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused(load, arrays, said):
    if said is None:
        load(arrays).check()
        return
    with pytest.raises(ScenarioError, match=said):
        load(arrays).check()


def test_damaged_files_are_refused(tmp_path):
    np.savez(tmp_path / "good.npz", x=X, y=Y)
    content = (tmp_path / "good.npz").read_bytes()
    middle = content.index(b"\x93NUMPY") + 200
    for damaged, said in (
        (content[: len(content) // 2], "not an .npz archive, or is truncated"),
        (content[:middle] + b"\xff\x00\xff" + content[middle + 3 :], "cannot be read"),
        (b"", "not an .npz"),
        (b"x,y\n1,2\n", "not an .npz"),
    ):
        (tmp_path / "bad.npz").write_bytes(damaged)
        with pytest.raises(ScenarioError, match=said):
            datasets.load({"name": "npz", "path": str(tmp_path / "bad.npz")})


def test_missing_and_infinite_values(tmp_path):
    for value, said in (
        (np.nan, "1 of .* samples hold missing values, in column 2.*stage impute"),
        (np.inf, "infinite values, in column 2"),
        (1e300, "infinite"),
    ):
        x = X.copy()
        x[7, 2] = value
        np.savez(tmp_path / "d.npz", x=x, y=Y)
        with pytest.raises(ScenarioError, match=said) as caught:
            build(dataset={"name": "npz", "path": str(tmp_path / "d.npz")}, nodes=2)
        assert caught.value.faults[0].place == "task.preprocess"


def test_the_real_archives(real):
    adult = {
        "name": "npz",
        "path": real("adult.npz"),
        "features": ["num_train", "cat_train"],
        "target": "y_train",
        "test_features": ["num_test", "cat_test"],
        "test_target": "y_test",
        "columns": ["num_names", "cat_names"],
    }
    stages = [{"name": "one-hot", "columns": ["sex", "race"]}, {"name": "standardize"}]
    task = build(dataset=adult, partition={"name": "dirichlet", "alpha": 0.5}, nodes=40, preprocess=stages, seed=5)
    assert (len(task.common_inputs), task.outputs, task.nodes) == (16_281, 2, 40)
    assert any(name.startswith("sex=") for name in task.columns)
    kdd = build(
        dataset={
            "name": "npz",
            "path": real("nsl_kdd.npz"),
            "features": "x_train",
            "target": "label_train",
            "test_features": "x_test",
            "test_target": "label_test",
            "columns": "feature_names",
            "classes": "label_names",
        },
        partition={"name": "natural", "by": "protocol_type"},
        preprocess=[{"name": "min-max", "scope": "federation"}],
    )
    assert (kdd.nodes, kdd.outputs) == (3, 40)


def test_samples_that_keep_their_order_are_not_copied_and_nobody_elses_are_changed(tmp_path, monkeypatch):
    inputs, whose = np.arange(40, dtype=np.float32).reshape(20, 2), np.repeat(np.arange(5), 4)
    np.savez(tmp_path / "data.npz", x_train=inputs, y_train=np.arange(20) % 2, x_test=inputs[:4], y_test=np.arange(4) % 2, node=whose)
    chosen = {"name": "npz", "path": "data.npz", "node": "node"}
    spare = datasets.load(chosen, folder=str(tmp_path))
    kept = replace(spare, inputs=inputs, spare=False)

    def made(data):
        monkeypatch.setattr(datasets, "load", lambda *_, **__: data)
        return build(dataset=chosen, partition="natural", test_fraction=0.0, preprocess=["standardize"])

    again, task = made(kept), made(spare)
    np.testing.assert_array_equal(inputs, np.arange(40, dtype=np.float32).reshape(20, 2))
    np.testing.assert_array_equal(again.inputs, task.inputs)
    monkeypatch.undo()
    raw = datasets.load(chosen, folder=str(tmp_path))
    monkeypatch.setattr(datasets, "load", lambda *_, **__: raw)
    assert np.shares_memory(build(dataset=chosen, partition="natural", test_fraction=0.0, preprocess=[]).inputs, raw.inputs)
