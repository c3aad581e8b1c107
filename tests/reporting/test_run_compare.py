"""Runs over each other: only what differs, seeds together, missing things as missing."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from coterie.core.errors import ScenarioError
from coterie.reporting.compare import Comparison, compare, comparison_tables, outcomes, write_comparison
from coterie.reporting.run_folder import RunFolder
from coterie.reporting.settings import differing, settings, written
from reporting.sample_runs import make_run
from reporting.test_report_page import HOSTILE, Page


def small(path: Path, **options: object) -> Path:
    return make_run(path, **{"nodes": 4, "rounds": 4, "baselines": False, **options})  # type: ignore[arg-type]


def shown(comparison: Comparison) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    console.print(comparison_tables(comparison))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_only_settings_that_differ_are_shown(tmp_path: Path) -> None:
    found = compare([small(tmp_path / "a", alpha=0.3), small(tmp_path / "b", alpha=1, rounds=6, name="other")])
    assert found.differing == {"until.rounds": (4, 6), "partition.alpha": (0.3, 1)}
    assert [group.label for group in found.groups] == ["sixteen-clinics", "other"]
    text = shown(found)
    assert "partition.alpha" in text
    assert "learning_rate" not in text


def test_runs_that_differ_in_their_seed_are_one_group(tmp_path: Path) -> None:
    paths = [small(tmp_path / f"{alpha}-{seed}", alpha=alpha, seed=seed) for alpha in (0.1, 0.9) for seed in (1, 2, 3)]
    found = compare(paths)
    assert [group.label for group in found.groups] == ["alpha 0.1", "alpha 0.9"]
    assert [[folder.path.name for folder in group.folders] for group in found.groups] == [
        ["0.1-1", "0.1-2", "0.1-3"],
        ["0.9-1", "0.9-2", "0.9-3"],
    ]
    means = [RunFolder.open(path).summary.accuracy.mean for path in paths[:3]]
    estimate = found.groups[0].estimate("score")
    assert estimate.mean == pytest.approx(np.mean(means))
    assert estimate.std == pytest.approx(np.std(means, ddof=1))
    assert f"{100 * estimate.mean:.1f} ± {100 * estimate.std:.1f} %" in shown(found)
    data = Page(write_comparison(found, tmp_path / "page.html").read_text(encoding="utf-8")).data
    curve = data["runs"][0]["curves"]["accuracy"]
    assert curve["round"] == [0, 1, 2, 3, 4]
    assert curve["middle"][-1] == pytest.approx(np.mean(means), rel=1e-3)
    assert curve["high"][-1] - curve["middle"][-1] == pytest.approx(np.std(means, ddof=1), rel=0.05, abs=2e-4)


def test_a_name_alone_and_one_with_parameters_are_the_same_setting(tmp_path: Path) -> None:
    paths = [small(tmp_path / name) for name in "ab"]
    text = (paths[0] / "scenario.yaml").read_text()
    other = text.replace("{name: fedavg}", "{name: fedadam, server_rate: 0.1}").replace(
        "topology: {name: small-world", "topology: {name: ring"
    )
    (paths[0] / "scenario.yaml").write_text(text.replace("{name: fedavg}", "fedavg"))
    (paths[1] / "scenario.yaml").write_text(other)
    found = compare(paths)
    assert found.differing["algorithm"] == ("fedavg", "fedadam")
    assert found.differing["algorithm.server_rate"] == (None, 0.1)
    assert found.differing["topology"] == ("small-world", "ring")
    assert not [path for path in found.differing if path.endswith(".name")]
    assert [group.label for group in found.groups] == ["small-world", "ring"]


def test_what_is_beside_the_computation_is_not_compared(tmp_path: Path) -> None:
    paths = [small(tmp_path / name, seed=seed) for name, seed in (("a", 1), ("b", 2), ("c", 2))]
    for path, beside in zip(paths, ("[local]", "[]", "[]"), strict=True):
        file = path / "scenario.yaml"
        more = f"folder: {path}\nexecutor: {{name: inline, workers: 2}}\nevents: messages\nplugins: [x]\n" if beside == "[local]" else ""
        file.write_text(file.read_text().replace("[centralized, local, distributed]", beside) + more)
    found = compare(paths)
    assert found.differing == {}
    assert [[folder.path.name for folder in group.folders] for group in found.groups] == [["a", "b"], ["c"]]  # a repeat stands by itself
    assert [group.label for group in found.groups] == ["a", "c"]
    assert "The settings are the same." in shown(found)


def test_labels_are_whole_on_a_narrow_terminal(tmp_path: Path) -> None:
    paths = [small(tmp_path / "a", architecture="semi-decentralized", name="s", alpha=0.1), small(tmp_path / "b", name="s", rounds=9)]
    found = compare(paths)
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(comparison_tables(found))
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "semi-decentralized " in text
    assert "Outcomes · seed 7" in text


def test_seeds_that_ended_at_different_rounds_are_averaged_where_all_were(tmp_path: Path) -> None:
    paths = [small(tmp_path / "a", seed=1, every=1), small(tmp_path / "b", seed=2, every=2)]
    data = Page(write_comparison(compare(paths), tmp_path / "page.html").read_text(encoding="utf-8")).data
    assert len(data["runs"]) == 1
    assert data["runs"][0]["curves"]["accuracy"]["round"] == [0, 2, 4]


def test_different_lengths_missing_metrics_and_unfinished_runs(tmp_path: Path) -> None:
    paths = [small(tmp_path / "a"), small(tmp_path / "b", rounds=9), small(tmp_path / "c", metric="r2", finish=False, rounds=2)]
    with RunFolder.create("name: empty\n", path=tmp_path / "empty"):
        pass
    found = compare([*paths, tmp_path / "empty"])
    rows = outcomes(found)
    assert [row["rounds"] for row in rows] == ["4", "9", "2", "0"]
    assert [row["seeds"] for row in rows] == ["seed 7", "seed 7", "unfinished", "unfinished"]
    assert rows[2]["score"].startswith("0.")
    assert rows[3]["score"] == rows[3]["loss"] == "—"
    assert len(Page(write_comparison(found, tmp_path / "page.html").read_text(encoding="utf-8")).data["runs"]) == 4


def test_the_page_is_as_safe_as_the_report(tmp_path: Path) -> None:
    paths = [small(tmp_path / "a"), small(tmp_path / "b", architecture="'" + HOSTILE.replace("'", "''") + "'")]
    page = Page(write_comparison(compare(paths), tmp_path / "page.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.elements if tag in {"script", "img", "style"}] == ["style", "script", "script"]
    assert "default-src 'none'" in page.policy
    assert "script>" in page.data["runs"][1]["label"]


def test_all_that_is_no_run_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError) as caught:
        compare([tmp_path / "x", small(tmp_path / "a"), tmp_path])
    assert [fault.place for fault in caught.value.faults] == [str(tmp_path / "x"), str(tmp_path)]
    with pytest.raises(ScenarioError, match="nothing to compare with"):
        compare([tmp_path / "a", tmp_path / "a"])
    (tmp_path / "a" / "scenario.yaml").write_text("- 1\n")
    with pytest.raises(ScenarioError, match=r"a/scenario\.yaml: is not a scenario"):
        compare([tmp_path / "a", small(tmp_path / "b")])


def test_settings_as_dotted_paths() -> None:
    text = "a: {b: 1, c: [1, 2], d: {}}\nroles: [{name: x}, {name: y, who: [0]}]\nnothing: null\nsure: true\n"
    assert settings(text) == {
        "a.b": 1,
        "a.c": [1, 2],
        "a.d": {},
        "roles.0": "x",
        "roles.1": "y",
        "roles.1.who": [0],
        "nothing": None,
        "sure": True,
    }
    assert [written(value) for value in (None, True, [1, "x"], 0.5, {})] == ["—", "true", "[1, x]", "0.5", "{}"]
    assert differing([{"a": 1, "b": 2}, {"a": 1, "c": 3}]) == {"b": (2, None), "c": (None, 3)}


@pytest.mark.parametrize(
    "hostile",
    [
        "a: &x [1]\nb: *x\n",
        "a: " + "[" * 60 + "]" * 60,
        "a: 1\n" * 300_000,
        "!!python/object/apply:os.system ['true']",
        "just text",
        "a: [",
        "\x00",
    ],
)
def test_hostile_scenarios_are_refused(hostile: str) -> None:
    with pytest.raises(ScenarioError, match="not a scenario that Coterie wrote"):
        settings(hostile)
