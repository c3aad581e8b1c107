"""`coterie matrix`: the grid, the table, the heat map; stopped and gone on with."""

import csv
import json
import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

import coterie
from coterie.cli import app
from coterie.reporting.matrix import Matrix, Result, page
from coterie.reporting.run_folder import RunFolder
from coterie.scenario.grid import cells

SCENARIO = """
task: digits
nodes: 8
until: 2
attacks: [{name: sign_flip, who: [2, 5], when: {from: 1}}]
"""


@pytest.fixture
def matrix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    return lambda *words: CliRunner().invoke(app, ["matrix", "s.yaml", "--workers", "1", *words])


def test_every_attack_meets_every_defence(matrix, tmp_path):
    done = matrix("--attacks", "none,sign_flip,{name: mimic, target: 0}", "--defences", "mean,krum", "--seeds", "2", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [(cell["defence"], cell["attack"], cell["seeds"]) for cell in told["cells"]] == [
        (defence, attack, 2) for defence in ("mean", "krum") for attack in ("none", "sign_flip", "mimic")
    ]
    assert told == json.loads((tmp_path / "matrix" / "matrix.json").read_text())
    rows = list(csv.DictReader((tmp_path / "matrix" / "matrix.csv").read_text().splitlines()))
    assert len(rows) == 12
    for row in rows:
        summary = RunFolder.open(tmp_path / row["folder"]).summary
        assert float(row["score"]) == summary.accuracy.mean
    for defence in ("mean", "krum"):
        under = {cell["attack"]: cell["mean"] for cell in told["cells"] if cell["defence"] == defence and cell["attack"] != "none"}
        assert told["worst"][defence]["mean"] == min(under.values()) == under[told["worst"][defence]["attack"]]


def test_what_is_there_is_not_run_again(matrix, tmp_path, monkeypatch):
    words = ("--attacks", "none,alie", "--defences", "mean")
    assert matrix(*words).exit_code == 0
    before = (tmp_path / "matrix" / "matrix.csv").read_text()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("summary.json")}
    assert matrix(*words).exit_code == 0
    assert (tmp_path / "matrix" / "matrix.csv").read_text() == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("summary.json")} == stamps
    other = matrix(*words, "--set", "nodes=9")
    assert other.exit_code == 2
    assert "is a run of another scenario" in other.output


def test_processes_give_the_same(matrix, tmp_path):
    words = ("--attacks", "none,alie", "--defences", "mean,median", "--json")
    one = json.loads(matrix(*words).stdout)
    two = json.loads(matrix(*words, "--workers", "2", "--out", "two").stdout)
    assert one["cells"] == two["cells"]


def test_all_that_cannot_be_is_told_before_anything_runs(matrix, tmp_path):
    misspelt = matrix("--attacks", "sign_flip,backdor", "--defences", "mean")
    unfit = matrix("--attacks", "sign_flip,dissensus", "--defences", "mean,{name: krum, byzantine: 3}")
    assert misspelt.exit_code == unfit.exit_code == 2
    for words in ("there is no attack called 'backdor'", "did you mean 'backdoor'?"):
        assert words in misspelt.output
    for words in ("dissensus against mean", "dissensus against krum", "aims at the nodes of a graph"):
        assert words in unfit.output
    assert not (tmp_path / "matrix").exists()


def test_a_cell_that_fails_is_told_and_the_others_go_on(matrix, tmp_path, monkeypatch):
    from coterie.simulator import run

    honest = run.run

    def failing(scenario, **settings):
        if scenario.attacks:
            raise RuntimeError("out of luck")
        return honest(scenario, **settings)

    monkeypatch.setattr(run, "run", failing)
    done = matrix("--attacks", "none,alie", "--defences", "mean")
    assert done.exit_code == 1
    assert "alie against mean, seed 0: RuntimeError: out of luck" in done.output
    told = json.loads((tmp_path / "matrix" / "matrix.json").read_text())
    assert told["worst"]["mean"] == {"attack": "alie", "mean": None, "std": None, "seeds": 0}


def test_who_when_and_how_many_are_filled_in():
    scenario = coterie.Scenario(task="digits", nodes=12, attacks=[{"name": "sign_flip", "who": [2, 5], "when": {"from": 1}}])
    found = cells(scenario, ["mimic", "none"], ["krum", {"name": "nearest_neighbour_mixing", "then": "median"}])
    first = found[0].scenario
    assert (first.attacks[0].who.nodes, first.attacks[0].when.first) == ((2, 5), 1)
    assert first.attacks[0].knowledge == ("own", "honest")
    assert [cell.scenario.aggregation.params["byzantine"] for cell in found] == [2, 2, 2, 2]
    assert not found[1].scenario.attacks


def test_the_page_is_well_formed_and_names_nothing_as_code():
    results = (
        Result("<script>", "a & b", 0, "x", "accuracy", 0.25),
        Result("none", "a & b", 0, "x", "accuracy", 0.9),
        Result("<script>", "c", 0, "x", failed="no"),
    )
    text = page(Matrix("<b>", results))
    assert "<script" not in text
    drawing = ET.fromstring(text[text.index("<svg") : text.index("</svg>") + 6])
    assert len(drawing.findall("g")) == 2 * 3
    assert "25.0 %" in text
