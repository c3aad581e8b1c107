"""summary.json: its figures by hand, its shape by schema."""

import json
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.core.errors import ScenarioError
from coterie.reporting.run_folder import RunFolder
from coterie.reporting.summary import Estimate, Outcome, Spread, Summary, decode, encode, schema, spreads
from reporting.sample_runs import make_run

NAMED_BY_THE_DESIGN = {
    *("schema_version", "name", "seed", "nodes", "rounds", "accuracy", "accuracy_own", "loss", "bytes_sent", "bytes_received"),
    *("messages", "virtual_seconds", "wall_seconds", "samples_trained", "digest", "baselines", "dataset_bytes"),
}
finite = st.floats(-1e6, 1e6)


def test_a_spread_by_hand() -> None:
    values = [0.5, 0.9, 0.7, 0.9, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.3]
    spread = Spread.of(values)
    assert spread is not None
    assert spread.mean == pytest.approx(7.9 / 11)
    assert (spread.min, spread.max) == (0.1, 0.9)
    assert spread.std == pytest.approx(np.std(values))
    assert spread.worst_decile == pytest.approx((0.1 + 0.3) / 2)  # a tenth of 11 nodes, rounded up, is 2
    loss = Spread.of(values, rising=False)
    assert loss is not None
    assert loss.worst_decile == 0.9


def test_nothing_and_what_is_not_finite() -> None:
    assert Spread.of([]) is None
    assert Spread.of([0.4, float("nan")]) == Spread()
    assert Spread.of([0.4, float("inf")]) == Spread()


@given(st.lists(finite, min_size=1, max_size=40), st.randoms())
def test_a_spread_does_not_depend_on_the_order_of_nodes(values: list[float], random: object) -> None:
    shuffled = values.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    spread = Spread.of(values)
    assert spread == Spread.of(shuffled)
    assert spread.min <= spread.worst_decile <= spread.mean + 1e-6 * abs(spread.mean)
    assert spread.min <= spread.mean <= spread.max


def test_every_metric_finds_its_place() -> None:
    outcome = Outcome(**spreads({"accuracy": [0.5, 0.7], "loss_own": [1.0], "train_loss": [2.0, 4.0]}))
    assert outcome.metric == "accuracy"
    assert outcome.accuracy.mean == pytest.approx(0.6)
    assert outcome.accuracy_own is None
    assert outcome.loss_own.mean == 1.0
    assert outcome.spread("train_loss").worst_decile == 4.0
    assert outcome.spread("nothing") is None
    regression = Outcome(**spreads({"r2_own": [0.25]}))
    assert regression.metric == "r2"
    assert regression.accuracy is None
    assert (regression.scored, regression.score.mean) == ("r2_own", 0.25)


def test_the_file_is_as_the_design_and_the_schema_say(tmp_path: Path) -> None:
    path = make_run(tmp_path / "run", rounds=3, nodes=4)
    found = json.loads((path / "summary.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema())
    check = jsonschema.Draft202012Validator(schema())
    check.validate(found)
    assert found.keys() >= NAMED_BY_THE_DESIGN
    assert list(found)[:3] == ["schema_version", "name", "seed"]
    assert found["schema_version"] == 1
    assert found["accuracy"].keys() == {"mean", "min", "max", "std", "worst_decile"}
    assert set(found["baselines"]) == {"centralized", "local", "distributed"}
    assert found["baselines"]["local"].keys() >= {"accuracy", "accuracy_own", "loss", "bytes_sent", "messages", "virtual_seconds"}
    for wrong in ({"nodes": -1}, {"accuracy": 0.5}, {"seed": "seven"}, {"baselines": {"local": {"loss": []}}}):
        assert not check.is_valid({**found, **wrong})


def test_the_figures_are_those_of_the_last_rows(tmp_path: Path) -> None:
    folder = RunFolder.open(make_run(tmp_path / "run", rounds=4, nodes=5, baselines=False))
    rows = [json.loads(line) for line in (folder.path / "metrics.jsonl").read_text().splitlines()]
    last = [row["value"] for row in rows if row["metric"] == "accuracy" and row["round"] == 4]
    assert len(last) == 5
    assert folder.summary.accuracy.mean == pytest.approx(sum(last) / 5)
    assert folder.summary.accuracy.min == min(last)


def test_a_summary_is_read_as_it_was_written() -> None:
    summary = Summary(name="é\n", nodes=2, baselines={"local": Outcome(**spreads({"loss": [1.0, float("nan")]}))}, dataset_bytes=7)
    assert decode(encode(summary)) == summary


def test_newer_and_damaged_summaries_are_refused() -> None:
    with pytest.raises(ScenarioError, match="version 9"):
        decode(b'{"schema_version": 9}')
    with pytest.raises(ScenarioError, match="not a summary"):
        decode(b'{"nodes": -2}')
    assert decode(b'{"schema_version": 1, "added_later": true}') == Summary()


def test_estimates_over_seeds() -> None:
    assert Estimate.of([1.0, 2.0, 4.0]) == Estimate(7 / 3, pytest.approx(1.5275252316519), 3)
    assert Estimate.of([3.0]) == Estimate(3.0, None, 1)
    assert Estimate.of([1.0, None]) is None
    assert Estimate.of([]) is None
