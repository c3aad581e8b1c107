import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks.files.locations import absolute, files, stems


@pytest.fixture
def folder(tmp_path):
    for name in ("b.csv", "a.csv", "c.csv.gz", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    return tmp_path


def names(folder, path):
    return [file.name for file in files(path, (".csv", ".csv.gz"), folder=str(folder))]


def test_a_file_a_folder_a_pattern_and_a_list(folder):
    assert names(folder, "a.csv") == ["a.csv"]
    assert names(folder, ".") == ["a.csv", "b.csv", "c.csv.gz"]
    assert names(folder, "?.csv") == ["a.csv", "b.csv"]
    assert names(folder, ("b.csv", "a.csv")) == ["b.csv", "a.csv"]
    assert files(str(folder / "a.csv"), (".csv",)) == [folder / "a.csv"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("none.csv", "no file or folder"),
        ("empty", "holds no .csv"),
        ("*.tsv", "no file or folder"),
        ((), "no file is named"),
        (("a.csv", "?.csv"), "twice"),
    ],
)
def test_faults_are_said(folder, path, said):
    with pytest.raises(ScenarioError, match=said):
        names(folder, path)


def test_names_of_files(folder):
    assert stems([folder / "a.csv", folder / "c.csv.gz"]) == ["a", "c"]
    assert len(set(stems([folder / "a.csv", folder / "x" / "a.csv"]))) == 2


def test_home_is_understood(monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    assert str(absolute("~/data", "/elsewhere")) == "/somewhere/data"
