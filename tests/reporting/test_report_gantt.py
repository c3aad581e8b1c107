"""The strip of who was busy when: what it shows of a long run, of many nodes, and of the shares of time."""

from pathlib import Path

import numpy as np
import pytest

from coterie.reporting.facts import Facts, Roles
from coterie.reporting.report.gantt import BINS, MOST_ROWS, timeline
from coterie.reporting.report.page import write_report
from coterie.reporting.run_folder import RunFolder
from reporting.sample_runs import make_run


def told(path: Path, nodes: int, rounds: int, share: float = 0.5, *, cut: bool = False) -> dict | None:
    """Rounds of a second, in which node n trains from the beginning for `share` of it, and sends for a tenth."""
    with RunFolder.create("name: x\ntask: digits\n", path=path) as folder:
        for round in range(rounds):
            for node in range(nodes):
                folder.append_stretch("train", node, round, round, round + share)
                folder.append_stretch("send", node, round, round + share, round + share + 0.1)
            folder.append_round(round=round + 1, seconds=round + 1.0, wall_seconds=0, bytes=1, messages=1, trained=1, aggregated=1)
        if cut:
            folder.append_rejection(node=0, sender=1, reason="stale", round=0, seconds=1.5)
        return timeline(folder.events, Facts(nodes=nodes, roles=Roles(aggregator=(nodes - 3,))))


def test_few_nodes_and_rounds_are_drawn_stretch_by_stretch(tmp_path: Path) -> None:
    found = told(tmp_path / "a", 3, 4, cut=True)
    assert [view["label"] for view in found["views"]] == ["Whole run"]
    assert found["train"] == pytest.approx([0.5] * 3, rel=0.1)
    assert found["send"] == pytest.approx([0.1] * 3, rel=0.1)
    drawn = found["views"][0]["stretches"]
    assert len(drawn) == 3 * 4 * 2 + 1
    assert [2, 1, 0, 1.5, 1.5] in drawn  # node 1 came too late
    assert found["views"][0]["ends"] == [1.0, 2.0, 3.0, 4.0]


def test_a_long_run_of_many_nodes_is_a_choice_of_rows_and_shares_of_time(tmp_path: Path) -> None:
    found = told(tmp_path / "a", 100, 200)
    assert len(found["node"]) == MOST_ROWS
    assert {0, 97, 99} <= set(found["node"])  # both ends, and the aggregator
    close, whole = found["views"]
    assert close["label"] == "Rounds 98 to 101"
    assert (close["begin"], close["end"]) == (97.0, 101.0)
    assert len(close["stretches"]) <= MOST_ROWS * 5 * 2
    bins = np.array(whole["bins"]["train"])
    assert bins.shape == (MOST_ROWS, BINS)
    assert bins.mean() == pytest.approx(0.5, abs=0.02)
    assert np.array(whole["bins"]["send"]).mean() == pytest.approx(0.1, abs=0.02)


def test_an_older_folder_without_stretches_has_no_strip(tmp_path: Path) -> None:
    with RunFolder.create("name: x\ntask: digits\n", path=tmp_path / "a") as folder:
        folder.append_round(round=1, seconds=1.0, wall_seconds=0, bytes=1, messages=1, trained=1, aggregated=1)
        assert timeline(folder.events, Facts(nodes=2)) is None


def test_the_report_says_how_busy_nodes_are(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", nodes=6, rounds=4)
    page = write_report(RunFolder.open(path)).read_text()
    assert "Who was busy when" in page
    assert "The nodes that train do so 43 % of the time on average; node 5 most, 77 %." in page


def test_faults_are_stretches_of_their_own(tmp_path: Path) -> None:
    with RunFolder.create("name: x\ntask: digits\n", path=tmp_path / "a") as folder:
        for round in range(4):
            folder.append_stretch("train", 0, round, round, round + 0.5)
            folder.append_round(round=round + 1, seconds=round + 1.0, wall_seconds=0, bytes=1, messages=1, trained=1, aggregated=1)
        folder.append_fault("crash", (0,), 1.0, 2.5)
        folder.append_fault("cut", (0, 1), 3.0, float("inf"))
        folder.append_fault("loss", (0, 1), 3.0, 3.0)
        (view,) = timeline(folder.events, Facts(nodes=2))["views"]
    assert view["faults"] == [[0, "is down", 1.0, 2.5], [0, "is cut off from a neighbour", 3.0, 4.0]]
