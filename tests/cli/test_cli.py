"""The commands: what they print, where, and how they end."""

import json

import numpy as np
import pytest

from cli.command import SCENARIO, coterie_
from coterie.reporting.progress import Progress


def test_check_says_in_words_what_would_run(file):
    result = coterie_("check", file, "--set", "baselines=[local]")
    assert result.exit_code == 0
    assert result.stderr == ""
    shown = dict(line.strip().split("  ", 1) for line in result.stdout.splitlines()[1:])
    assert result.stdout.startswith("clinics\n")
    assert shown["federation"].strip() == "6 nodes, decentralized, ring of 6 edges"
    assert shown["roles"].strip() == "6 train, 6 aggregate"
    assert "digits, dealt out by dirichlet (alpha 0.3): 1,151 samples to train on" in shown["data"]
    assert shown["model"].strip() == "mlp of 4,810 parameters (19.2 kB)"
    assert shown["a round"].strip() == "6 nodes train on 1,151 samples; 12 messages, 232 kB"
    assert shown["in all"].strip() == "2 rounds: 2,302 samples, 36 messages, 464 kB"
    assert shown["baselines"].strip() == "local"


@pytest.mark.parametrize(
    ("sets", "heading", "words"),
    [
        (["partition=auto"], "data", "digits, dealt out by iid (auto):"),
        (["partition=auto", "task=synthetic"], "data", "synthetic, dealt out by natural (auto):"),
        (["partition=natural", "task=synthetic"], "data", "synthetic, dealt out by natural:"),
        (["participation=0.5"], "roles", "3 of 6 train, 3 aggregate, 3 rest; who takes part changes from round to round"),
        (["architecture=semi-decentralized"], "roles", "who does what changes from round to round"),
        (["architecture=centralized", "topology=star"], "roles", "6 train, 1 aggregates"),
        (["schedule.deadline_seconds=0.012"], "schedule", "synchronous, a round closes after 12 ms at the latest"),
        (["topology={name: edges, pairs: [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]}"], "federation", "5 edges that are listed"),
        (["topology=isolated"], "federation", "6 nodes, decentralized, no edges"),
    ],
)
def test_check_has_words_for(file, sets, heading, words):
    result = coterie_("check", file, *(word for setting in sets for word in ("--set", setting)))
    assert result.exit_code == 0, result.stderr
    shown = dict(line.strip().split("  ", 1) for line in result.stdout.splitlines()[1:])
    assert words in shown[heading]
    assert "None" not in result.stdout


def test_the_end_of_a_run_says_what_was_refused_and_what_ended_it(file, folder):
    sets = ["--set", "architecture=centralized", "--set", "topology=star", "--set", "schedule.deadline_seconds=0.012"]
    result = coterie_("run", file, *sets, "--out", folder / "hasty")
    assert result.exit_code == 0, result.stderr
    assert "stale)." in result.stdout
    assert "Refused by their receivers: " in result.stdout
    assert "Ended before" not in result.stdout
    result = coterie_("run", file, "--set", "until={rounds: 9, target: 0.05}", "--out", folder / "early")
    assert "Ended before its last round: accuracy reached 0.05" in result.stdout
    assert "Refused" not in result.stdout


def test_check_tells_every_fault_and_ends_with_2(folder):
    path = folder / "bad.yaml"
    path.write_text(SCENARIO.replace("alpha", "alfa").replace("ring", "rnig") + "algorithm: scaffold\n")
    result = coterie_("check", path, "--set", "training.batch_size=0")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.replace(str(path), "bad.yaml") == (
        "There are 4 faults:\n"
        "  bad.yaml:5:30 partition.alfa: there is no such setting of dirichlet\n"
        "      → did you mean 'alpha'?\n"
        "  bad.yaml:7:11 topology: there is no topology called 'rnig'\n"
        "      → did you mean 'ring'?\n"
        "  bad.yaml:10:12 algorithm: scaffold needs a server: "
        "SCAFFOLD's control variate is the mean over all nodes, and nobody would hold it\n"
        "      → write architecture: centralized, or another algorithm\n"
        "  --set training.batch_size: must be at least 1 (got 0)\n"
        "      → write a number at least 1\n"
    )


SETTINGS = [(("nodes: 6", "nodes: 6\nnodes: 7"), "s.yaml:3:1 nodes"), (("until: 2", "until: 0"), "s.yaml:3:8 until.rounds")]


DATA = [
    (("task: digits", "task: {dataset: {name: npz, path: none.npz}}"), "s.yaml:4:35 task.dataset.path"),
    (("alpha: 0.3", "alpha: 0.3, minimum: 500"), "s.yaml:5:12 partition"),
]


@pytest.mark.parametrize(
    ("command", "change", "told"),
    [(command, *case) for command in ("check", "run", "plan") for case in (SETTINGS if command == "plan" else SETTINGS + DATA)],
)
def test_bad_input_is_told_with_its_line_and_never_a_traceback(tmp_path, command, change, told):
    path = tmp_path / "s.yaml"
    path.write_text(SCENARIO.replace(*change))
    result = coterie_(command, path, *(["--out", tmp_path / "run"] if command == "run" else []))
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run" / "summary.json").exists()


def test_files_and_arguments_that_are_not_there(folder, file):
    assert coterie_("check", folder / "none.yaml").exit_code == 2
    assert coterie_("check").exit_code == 2
    assert coterie_("run", file, "--sets", "x").exit_code == 2
    assert coterie_("fly").exit_code == 2
    assert coterie_("resume", folder / "none").exit_code == 2
    result = coterie_("run", file, "--engine", "warp", "--out", folder / "warp")
    assert result.exit_code == 2
    assert "--set engine: must be 'fast' or 'exact'" in result.stderr


def test_run_prints_the_summary_alone(finished):
    path, result = finished
    summary = json.loads(result.stdout)
    assert summary == json.loads((path / "summary.json").read_text())
    assert (summary["name"], summary["nodes"], summary["rounds"]) == ("clinics", 6, 2)
    assert "round 2/2" in result.stderr
    assert (path / "report.html").exists()


def test_run_shows_the_outcome_and_the_way_to_the_report(file, folder):
    result = coterie_("run", file, "--out", folder / "shown", "--seed", 9, "--set", "until=1")
    assert result.exit_code == 0
    assert "clinics · 6 nodes · 1 round" in result.stdout
    assert str(folder / "shown" / "report.html") in result.stdout
    assert "seed: 9\n" in (folder / "shown" / "scenario.yaml").read_text()


def test_a_folder_that_holds_a_run_is_not_overwritten(file, finished):
    before = (finished[0] / "summary.json").read_bytes()
    result = coterie_("run", file, "--out", finished[0])
    assert result.exit_code == 2
    assert "s.yaml" not in result.stderr
    assert (finished[0] / "summary.json").read_bytes() == before


def test_several_seeds_are_runs_of_their_own(file, folder):
    result = coterie_("run", file, "--set", "until=1", "--seed", 5, "--seeds", 2, "--out", folder / "seeds", "--json")
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert shown["seeds"] == [5, 6]
    scores = [json.loads((folder / "seeds" / f"seed-{seed}" / "summary.json").read_text())["accuracy"]["mean"] for seed in (5, 6)]
    assert shown["runs"]["federation"]["score"]["mean"] == pytest.approx(np.mean(scores))
    assert shown["runs"]["federation"]["score"]["std"] == pytest.approx(np.std(scores, ddof=1))


def test_a_run_that_fails_in_the_users_code_ends_with_1_and_says_where(folder):
    (folder / "my_training.py").write_text("def train(model, data, context):\n    return (model, 1 / (1 - context.round), {})\n")
    path = folder / "failing.yaml"
    path.write_text(SCENARIO.replace("{batch_size: 64}", "{function: 'my_training:train'}"))
    result = coterie_("run", path, "--out", folder / "failed")
    assert result.exit_code == 1
    assert "my_training.py, line 2, in train: return (model, 1 / (1 - context.round), {})" in result.stderr
    assert "ZeroDivisionError: division by zero" in result.stderr
    assert not (folder / "failed" / "summary.json").exists()


def test_a_training_function_that_fails_at_once_is_a_fault_before_anything_runs(folder):
    (folder / "bad_training.py").write_text("def train(model, data, context):\n    return 1 / 0\n")
    path = folder / "faulty.yaml"
    path.write_text(SCENARIO.replace("{batch_size: 64}", "{function: 'bad_training:train'}"))
    for command in (["check", path], ["run", path, "--out", folder / "never"]):
        result = coterie_(*command)
        assert result.exit_code == 2
        assert f"{path.name}:" in result.stderr
        assert "training.function: bad_training:train fails on one batch: ZeroDivisionError: division by zero" in result.stderr
        assert "bad_training.py, line 2, in train" in result.stderr
    assert not (folder / "never").exists()


def test_what_is_wrong_with_the_users_names_is_a_fault_wherever_it_shows(file, folder):
    for command in (["check", file], ["run", file, "--out", folder / "unnamed"]):
        result = coterie_(*command, "--set", "training.loss=no_such_module:f")
        assert result.exit_code == 2
        assert "training.loss: there is no module 'no_such_module'" in result.stderr


def test_who_interrupts_a_run_is_told_how_to_go_on(file, folder, monkeypatch):
    path = folder / "interrupted"

    def interrupt(_progress, round, **_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Progress, "update", interrupt)
        result = coterie_("run", file, "--out", path)
    assert result.exit_code == 130
    assert f"go on with coterie resume {path}" in result.stderr
    assert coterie_("resume", path).exit_code == 0


def test_a_finished_run_is_resumed_as_it_is(finished):
    result = coterie_("resume", finished[0], "--json")
    assert json.loads(result.stdout) == json.loads(finished[1].stdout)


def test_report_and_compare(finished, file, folder):
    (finished[0] / "report.html").unlink()
    assert coterie_("report", finished[0]).stdout.strip() == str(finished[0] / "report.html")
    assert (finished[0] / "report.html").exists()
    coterie_("run", file, "--out", folder / "other", "--set", "training.batch_size=32", "--json")
    result = coterie_("compare", finished[0], folder / "other", "--out", folder / "compare.html")
    assert result.exit_code == 0
    assert "training.batch_size" in result.stdout
    assert (folder / "compare.html").exists()
    assert coterie_("compare", finished[0]).exit_code == 2
