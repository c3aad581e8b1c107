"""What became of updates: events, the summary's figures, and the report's plot and table."""

import json
from pathlib import Path

from coterie.reporting.facts import Attack, Facts
from coterie.reporting.judged import JudgedEvent, Tally
from coterie.reporting.report.page import report
from coterie.reporting.report.verdicts import verdicts
from coterie.reporting.run_folder import RunFolder
from reporting.sample_runs import make_run

FACTS = {"judged": [[3, "flagged", "norm", 9.0], [3, "cut", "reputation", 0.1], [5, "left out", "krum", 0.0]], "received": [1, 3, 4, 5]}


def tally():
    return Tally(frozenset({3, 4}), lambda node, number: node in {3, 4} and number >= 2)


def test_verdicts_are_counted_against_who_attacked():
    made = tally()
    events = list(made.take(0, 3, 1.5, FACTS))  # noted for round 3, sent in round 2
    assert events[0] == JudgedEvent(0, 3, 1.5, "flagged", "norm", (3,), (9.0,))
    assert [(event.what, event.of) for event in events] == [("flagged", (3,)), ("cut", (3,)), ("left out", (5,))]
    found = made.defence
    assert found.judged == {"cut": 1, "flagged": 1, "left out": 1}
    assert (found.precision, found.recall) == (1.0, 0.5)  # 4 attacked, too; 5 was only left out


def test_what_attackers_think_does_not_count_and_before_they_attack_there_is_nothing_to_find():
    made = tally()
    list(made.take(4, 3, 0.0, FACTS))
    assert made.defence.recall is None
    list(made.take(0, 2, 0.0, FACTS))
    assert (made.defence.precision, made.defence.recall) == (1.0, None)


def test_a_tally_goes_on_after_a_restart():
    made, other = tally(), tally()
    list(made.take(0, 3, 0.0, FACTS))
    other.restored(json.loads(json.dumps(made.saved())))
    list(made.take(0, 4, 0.0, FACTS))
    list(other.take(0, 4, 0.0, FACTS))
    assert made.defence == other.defence


def test_nothing_judged_is_nothing_in_the_summary():
    assert Tally().defence is None
    assert list(Tally().take(0, 1, 0.0, {"aggregated": 3})) == []


def judged_run(path: Path) -> RunFolder:
    made = make_run(path, nodes=6, rounds=4)
    (path / "summary.json").unlink()
    with RunFolder.resume(made, {name: (made / name).stat().st_size for name in ("metrics.jsonl", "events.jsonl")}) as folder:
        folder.append_judged(JudgedEvent(0, 2, 1.0, "cut", "norm", (3, 4), (8.0, float("inf"))))
        folder.append_judged(JudgedEvent(1, 2, 1.0, "cut", "norm", (3,), (9.0,)))
        folder.append_judged(JudgedEvent(1, 4, 2.0, "left out", "<krum>", (5,), (0.0,)))
    return RunFolder.open(made)


def test_the_report_has_them_on_the_rounds_of_the_scores(tmp_path: Path) -> None:
    folder = judged_run(tmp_path / "run")
    found = verdicts(folder.events, Facts(attacks=(Attack(name="sign_flip", nodes=(3,)),)), 4)
    assert found["round"] == [1, 2, 3, 4]
    assert found["series"] == [{"what": "cut", "count": [0, 3, 0, 0]}, {"what": "left out", "count": [0, 0, 0, 1]}]
    assert [(row["name"], row["attacker"], row["counts"]) for row in found["rows"]] == [
        ("3", True, [2, 0]),
        ("4", False, [1, 0]),
        ("5", False, [0, 1]),
    ]
    page = report(folder)
    assert "Updates that stood out" in page
    assert "&lt;krum&gt; 1" in page
    assert 'data-plot="verdicts"' in page


def test_of_very_many_rounds_and_senders_the_report_shows_a_bounded_number(tmp_path: Path) -> None:
    folder = judged_run(tmp_path / "run")
    folder.events.judged.update({("cut", "norm", node): dict.fromkeys(range(1, 5001), 1) for node in range(200)})
    found = verdicts(folder.events, Facts(), 5000)
    assert len(found["rows"]) <= 40
    assert len(found["round"]) <= 240
    assert found["senders"] == 200
    assert max(found["series"][0]["count"]) == 200
