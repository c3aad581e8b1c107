import sys

import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.reference import resolve


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_data_module.py").write_text("class Loader:\n    @staticmethod\n    def load():\n        return 1\n")
    (tmp_path / "broken_data_module.py").write_text("1 / 0\n")
    yield str(tmp_path)
    for name in ("own_data_module", "broken_data_module"):
        sys.modules.pop(name, None)


def test_what_a_module_in_the_folder_holds(folder):
    assert resolve("own_data_module:Loader.load", folder=folder)() == 1


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("own_data_module", "does not name a thing"),
        ("own_data_module.py:Loader", "does not name a thing"),
        ("no_such_data_module:load", "no module 'no_such_data_module'"),
        ("own_data_module:Loder", "did you mean 'Loader'"),
        ("broken_data_module:load", "ZeroDivisionError"),
    ],
)
def test_faults_are_said(folder, reference, said):
    with pytest.raises(ScenarioError, match=said):
        resolve(reference, "task.dataset.source", folder)
