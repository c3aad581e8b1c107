import hashlib

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.datasets import heart_disease
from coterie.tasks.task import build

FILES = {
    "processed.cleveland.data": "63.0,1.0,1.0,145.0,233.0,1.0,2.0,150.0,0.0,2.3,3.0,0.0,6.0,0\n67,1,4,160,286,0,2,108,1,1.5,2,3,3,2\n",
    "processed.hungarian.data": "28,1,2,130,132,0,2,185,0,0,?,?,?,0\n",
    "processed.switzerland.data": "32,1,1,95,0,?,0,127,0,.7,1,?,?,1\n",
    "processed.va.data": "63,1,4,0,260,0,1,112,1,3,2,?,?,4\n44,1,4,130,209,0,1,127,0,0,?,?,?,0\n",
}


def write(folder, **changes):
    for name, content in {**FILES, **changes}.items():
        (folder / name).write_text(content)


def check(data):
    assert data.inputs.shape == (6, 13)
    assert data.targets.tolist() == [0, 1, 0, 1, 1, 0]
    assert data.groups.tolist() == [0, 0, 1, 2, 3, 3]
    assert data.group_names == ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
    column = {name.name: data.inputs[:, place] for place, name in enumerate(data.columns)}
    assert column["chol"] == pytest.approx([233, 286, 132, np.nan, 260, 209], nan_ok=True)
    assert column["trestbps"] == pytest.approx([145, 160, 130, 95, np.nan, 130], nan_ok=True)
    assert column["thal"] == pytest.approx([6, 3, np.nan, np.nan, np.nan, np.nan], nan_ok=True)
    assert column["ca"][0] == 0


def test_the_four_files_in_a_folder(tmp_path):
    write(tmp_path)
    check(datasets.load({"name": "heart-disease", "path": "."}, folder=str(tmp_path)))
    severity = datasets.load({"name": "heart-disease", "path": str(tmp_path), "target": "severity"})
    assert severity.targets.tolist() == [0, 2, 0, 1, 4, 0]
    assert len(severity.classes) == 5


def test_the_download_is_checked(server, cache, monkeypatch):
    folder, address, _ = server
    write(folder)
    with pytest.raises(ScenarioError, match=r"processed\.cleveland\.data cannot be had"):
        datasets.load({"name": "heart-disease", "mirror": address})
    sums = {name: hashlib.sha256(content.encode()).hexdigest() for name, content in FILES.items()}
    monkeypatch.setattr(heart_disease, "CHECKSUMS", sums)
    check(datasets.load({"name": "heart-disease", "mirror": address}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1,2,3\n", "line 1 has 3 fields, expected 14"),
        (FILES["processed.va.data"][:-20], "line 2 has .* fields, expected 14"),
        (FILES["processed.va.data"].replace("63", "sixty"), "no number"),
        (FILES["processed.va.data"].replace(",4\n", ",7\n"), "not 0 to 4"),
        ("", "no patients"),
        ("63,1,4,0,260,0,1,112,1,3,2,?,?,é\n", "cannot be read"),
    ],
)
def test_damaged_files_are_refused(tmp_path, content, said):
    write(tmp_path)
    (tmp_path / "processed.va.data").write_text(content, "utf-8")
    with pytest.raises(ScenarioError, match=said):
        datasets.load({"name": "heart-disease", "path": str(tmp_path)})


def test_missing_and_wrong_archives_are_refused(tmp_path):
    (tmp_path / "half").mkdir()
    for path, said in (("none", "no file or folder"), ("half", "processed.cleveland.data cannot be read")):
        with pytest.raises(ScenarioError, match=said):
            datasets.load({"name": "heart-disease", "path": str(tmp_path / path)})
    good = {
        "x": np.zeros((4, 13), np.float32),
        "y": np.zeros(4, np.uint8),
        "hospital": np.zeros(4, np.uint8),
        "hospital_names": np.array(["a"]),
    }
    for change, said in (
        ({"x": np.zeros((4, 12), np.float32)}, r"expected numbers \(n, 13\)"),
        ({"y": np.zeros(3, np.uint8)}, "shapes"),
        ({"hospital": np.ones(4, np.uint8)}, "hospitals 1 to 1 but 1 names"),
    ):
        np.savez(tmp_path / "heart.npz", **{**good, **change})
        with pytest.raises(ScenarioError, match=said):
            datasets.load({"name": "heart-disease", "path": str(tmp_path / "heart.npz")})


def test_the_real_hospitals_are_the_nodes(real):
    choice = {"name": "heart-disease", "path": real("heart_by_hospital.npz")}
    task = build(dataset=choice, seed=1)
    assert task.names == ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
    assert (task.train.sizes + task.test.sizes).sum() + len(task.common_inputs) == 920
    with pytest.raises(ScenarioError, match="every value is missing in chol at node 2"):
        build(dataset=choice, preprocess=["impute", "standardize"])
    with pytest.raises(ScenarioError, match=r"samples hold missing values, in trestbps, chol.*add the stage impute"):
        build(dataset=choice, preprocess=[])
    hot = build(
        dataset=choice,
        preprocess=[
            {"name": "impute", "scope": "federation", "columns": ["age", "chol", "trestbps", "thalach", "oldpeak"]},
            {"name": "one-hot", "columns": ["sex", "cp", "fbs", "restecg", "exang", "slope", "ca", "thal"]},
        ],
    )
    assert "thal=7" in hot.columns
