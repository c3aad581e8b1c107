"""What is seen on standard error while runs go on, with a clock that the test moves."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from coterie.reporting.progress import Progress
from coterie.reporting.run_folder import RunFolder
from coterie.reporting.summary import Outcome, Summary, spreads
from coterie.reporting.tables import comparison, over_seeds, seeds_table, show_outcome
from reporting.sample_runs import make_run


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def plain() -> Console:
    return Console(file=io.StringIO(), width=100, color_system=None)


def seen(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def drive(progress: Progress, clock: Clock, name: str = "federation [bold]", rounds: int | None = 10) -> None:
    with progress:
        progress.start(name, rounds)
        for number in range(1, 11):
            clock.now += 0.9
            progress.update(
                number, score=[0.05 * number, 0.08 * number, 0.09 * number], loss=[1.0, 1 / number, float("nan")], bytes=1000 * number
            )
        progress.finish()


def test_off_a_terminal_there_are_plain_lines_now_and_then() -> None:
    console, clock = plain(), Clock()
    drive(Progress(console, clock=clock), clock)
    lines = seen(console).splitlines()
    assert lines == [
        "federation [bold]: round 3/10, mean accuracy 22.0 % [15.0–27.0], loss 0.667, 3 kB sent, 6.3 s left",
        "federation [bold]: round 6/10, mean accuracy 44.0 % [30.0–54.0], loss 0.583, 6 kB sent, 3.6 s left",
        "federation [bold]: round 9/10, mean accuracy 66.0 % [45.0–81.0], loss 0.556, 9 kB sent, 1 s left",
        "federation [bold]: round 10/10, mean accuracy 73.3 % [50.0–90.0], loss 0.55, 10 kB sent, took 9 s".replace("0.55,", "0.550,"),
    ]


def test_on_a_terminal_there_is_a_table() -> None:
    console, clock = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None), Clock()
    drive(Progress(console, clock=clock), clock)
    last = seen(console).rpartition("run")[2]
    for word in ("federation [bold]", "10/10", "73.3 % [50.0–90.0]", "0.550", "10 kB", "took 9 s", "▁▂▃▃▄▅▆▆▇█"):
        assert word in last


def test_a_narrow_terminal_leaves_out_what_is_decoration() -> None:
    console, clock = Console(file=io.StringIO(), width=80, force_terminal=True, color_system=None), Clock()
    drive(Progress(console, clock=clock), clock)
    last = seen(console).rpartition("run")[2]
    assert "73.3 % [50.0–90.0]" in last
    assert "█" not in last


def test_a_run_without_a_known_end_has_no_time_left_and_a_resumed_one_counts_from_where_it_was() -> None:
    console, clock = plain(), Clock()
    drive(Progress(console, clock=clock), clock, rounds=None)
    assert "left" not in seen(console)
    console = plain()
    with Progress(console, clock=clock) as progress:
        progress.start("federation", 100, done=90)
        clock.now += 10.0
        progress.update(92)
    assert "round 92/100, 40 s left" in seen(console)


def test_quiet_is_silent() -> None:
    console, clock = plain(), Clock()
    drive(Progress(console, quiet=True, clock=clock), clock)
    assert seen(console) == ""


def test_the_end_compares_with_the_baselines(tmp_path: Path) -> None:
    summary = RunFolder.open(make_run(tmp_path / "run", rounds=3, nodes=4)).summary
    console = plain()
    show_outcome(console, summary, tmp_path / "a [b]" / "report.html")
    text = seen(console)
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert f"{100 * summary.accuracy.mean:.1f} % [{100 * summary.accuracy.min:.1f}–{100 * summary.accuracy.max:.1f}]" in rows["federation"]
    assert rows["federation"].count("0 B") == 1
    assert "460 kB" in rows["centralized"]
    assert {"local", "distributed"} <= rows.keys()
    assert "Raw data that left a node: 0 B; central training would have moved 460 kB." in text
    assert f"Report: {tmp_path / 'a [b]' / 'report.html'}" in text.replace("\n", "")


def test_the_end_says_what_ended_it_and_what_was_refused() -> None:
    early = Summary(name="s", ended_by="accuracy reached 0.85 (0.861) after round 7", **spreads({"accuracy": [0.9]}))
    console = plain()
    show_outcome(console, early, refused={"stale": 135, "not finite": 2})
    assert "Ended before its last round: accuracy reached 0.85 (0.861) after round 7.\n" in seen(console)
    assert "Refused by their receivers: 137 messages (2 not finite, 135 stale).\n" in seen(console)
    console = plain()
    show_outcome(console, Summary(name="s", ended_by="rounds", **spreads({"accuracy": [0.9]})), refused={})
    assert "Ended" not in seen(console)
    assert "Refused" not in seen(console)


def test_the_table_and_the_progress_show_the_same_number() -> None:
    scores = [0.1, 0.2, 0.9]
    console, clock = plain(), Clock()
    with Progress(console, clock=clock) as progress:
        progress.start("run", 1)
        clock.now += 5
        progress.update(1, score=scores)
    show_outcome(console, Summary(name="s", **spreads({"accuracy": scores})))
    assert seen(console).count("40.0 % [10.0–90.0]") == 2
    assert seen(console).count("mean accuracy") == 2


def test_what_was_not_measured_is_a_dash() -> None:
    console = plain()
    console.print(comparison(Summary(name="bare [red]", baselines={"local": Outcome(**spreads({"loss": [1.0]}))})))
    assert "bare [red]" in seen(console)
    assert "—" in seen(console)


def test_seeds_are_told_as_mean_and_deviation() -> None:
    summaries = [
        Summary(
            name="s",
            seed=seed,
            **spreads({"accuracy": [score], "loss": [1.0]}),
            baselines={"local": Outcome(**spreads({"accuracy": [0.5]}))},
        )
        for seed, score in ((1, 0.80), (2, 0.90), (3, 0.85))
    ]
    console = plain()
    console.print(seeds_table(summaries))
    assert "85.0 ± 5.0 %" in seen(console)
    assert "50.0 ± 0.0 %" in seen(console)
    assert "seed 2" in seen(console)
    data = over_seeds(summaries)
    assert data["seeds"] == [1, 2, 3]
    assert data["runs"]["federation"]["score"] == {"mean": pytest.approx(0.85), "std": pytest.approx(0.05), "runs": 3}
    assert data["runs"]["local"]["loss"] is None
