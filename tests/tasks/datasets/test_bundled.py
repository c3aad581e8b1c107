"""The data sets that come with scikit-learn are what its own loaders give."""

import subprocess
import sys

import numpy as np
import pytest
import sklearn.datasets as sk

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.task import build


def test_digits():
    ours, theirs = datasets.load("digits"), sk.load_digits()
    assert np.array_equal(ours.inputs[:, 0], theirs.images)
    assert np.array_equal(ours.targets, theirs.target)
    assert ours.classes == tuple(map(str, theirs.target_names))


@pytest.mark.parametrize(("name", "loader"), [("breast-cancer", sk.load_breast_cancer), ("wine", sk.load_wine)])
def test_tables(name, loader):
    ours, theirs = datasets.load(name), loader()
    assert np.array_equal(ours.inputs, theirs.data)
    assert np.array_equal(ours.targets, theirs.target)
    assert ours.classes == tuple(theirs.target_names)
    assert [column.name for column in ours.columns] == list(theirs.feature_names)


def test_diabetes():
    ours, theirs = datasets.load("diabetes"), sk.load_diabetes(scaled=False)
    assert np.array_equal(ours.inputs, theirs.data)
    assert np.array_equal(ours.targets, theirs.target)
    assert [column.name for column in ours.columns] == list(theirs.feature_names)
    assert ours.classes == ()


@pytest.mark.parametrize("name", ["digits", "breast-cancer", "wine", "diabetes"])
def test_each_makes_a_task_of_ordinary_size(name):
    task = build(dataset=name, nodes=4)
    assert np.isfinite(task.inputs).all()
    assert task.inputs.dtype == np.float32
    assert abs(task.inputs).mean() < 2
    assert abs(task.targets).mean() < 10


def test_digits_load_without_heavy_imports():
    code = """
import sys
from coterie.tasks.task import build
build(dataset="digits", partition="dirichlet", nodes=4)
print([name for name in ("torch", "sklearn", "scipy", "pandas", "pyarrow", "pooch") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_scikit_learn_without_the_file_is_said(tmp_path, monkeypatch):
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "sklearn", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    with pytest.raises(ScenarioError, match="does not hold"):
        datasets.load("wine")
