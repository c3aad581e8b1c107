import sys

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.task import build

MODULE = '''
import numpy as np
import torch
from torch.utils.data import Dataset, TensorDataset
from coterie.tasks.dataset import Dataset as Ours

X, Y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 2

def arrays(): return X, Y
def tensors(rows=20): return torch.tensor(X[:rows], requires_grad=True), torch.tensor(Y[:rows])
def torch_dataset(): return TensorDataset(torch.tensor(X), torch.tensor(Y))
def splits(): return {"train": (X, Y), "test": (X[:4], Y[:4]), "node": ["a", "b"] * 10}
def ours(): return Ours(name="mine", inputs=X, targets=Y, classes=("n", "p"))
def pairs(): return [(x, int(y)) for x, y in zip(X, Y)]
def words(): return [(x, "np"[int(y)]) for x, y in zip(X, Y)]

class Own(Dataset):
    def __len__(self): return 20
    def __getitem__(self, i): return torch.tensor(X[i]).reshape(1, 2), float(Y[i])

class Columns:
    """The part of a Hugging Face Dataset that is used."""
    column_names = ["image", "label"]
    def __getitem__(self, name): return [list(x) for x in X] if name == "image" else list(Y)

def ragged(): return [(np.zeros(2), 0), (np.zeros(3), 1)]
def triples(): return [(1, 2, 3)]
def nothing(): return None
def empty(): return []
def raises(): raise KeyError("ward")
number = 3
'''


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_arrays_module.py").write_text(MODULE)

    def make(function, **params):
        return datasets.load({"name": "python", "source": f"own_arrays_module:{function}", **params}, folder=str(tmp_path))

    yield make
    sys.modules.pop("own_arrays_module", None)


@pytest.mark.parametrize("function", ["arrays", "tensors", "torch_dataset", "pairs", "Columns", "ours"])
def test_every_form_gives_the_same_samples(load, function):
    data = load(function)
    data.check()
    assert np.array_equal(data.inputs, np.arange(40).reshape(20, 2))
    assert np.array_equal(data.targets, np.arange(20) % 2)
    assert len(data.classes) == 2


def test_a_torch_dataset_of_ones_own_with_numbers_to_predict(load):
    data = load("Own")
    assert data.inputs.shape == (20, 1, 2)
    assert data.classes == ()
    assert load("Own", kind="classification").classes == ("0", "1")


def test_words_arguments_and_splits(load):
    assert load("words").classes == ("n", "p")
    assert len(load("tensors", arguments={"rows": 6}).inputs) == 6
    data = load("splits")
    assert (len(data.test_inputs), data.group_names) == (4, ("a", "b"))


def test_a_task_from_it(load, tmp_path):
    load("arrays")
    task = build(dataset={"name": "python", "source": "own_arrays_module:splits"}, folder=str(tmp_path))
    assert (task.names, task.nodes) == (("a", "b"), 2)


@pytest.mark.parametrize(
    ("function", "params", "said"),
    [
        ("ragged", {}, "sample 1 has the shape \\(3,\\), sample 0 \\(2,\\)"),
        ("triples", {}, "does not give \\(input, target\\)"),
        ("empty", {}, "0 samples"),
        ("nothing", {}, "it returned a NoneType"),
        ("raises", {}, "raised KeyError: 'ward'"),
        ("number", {}, "is a int, not a function"),
        ("tensors", {"arguments": {"row": 3}}, "raised TypeError"),
        ("Columns", {"target": "lable"}, "its columns are image, label"),
        ("none", {}, "nothing called 'none'"),
    ],
)
def test_faults_are_said(load, function, params, said):
    with pytest.raises(ScenarioError, match=said):
        load(function, **params)
