"""Metrics as columns, and the curves made of them, against plain Python."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.reporting.events import Events
from coterie.reporting.metrics import Metrics
from coterie.reporting.report.curves import MOST_POINTS, curve, evenly, lines, representatives, short, stretch

Row = tuple[int, int, str, float]
rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 8), st.sampled_from(["accuracy", "loss"]), st.floats(0, 1) | st.just(float("nan"))),
    max_size=60,
    unique_by=lambda row: row[:3],
)


def columns(found: list[Row]) -> Metrics:
    names = tuple(dict.fromkeys(row[2] for row in found))
    return Metrics(
        names=names,
        code=np.array([names.index(row[2]) for row in found], np.int16),
        node=np.array([row[1] for row in found], np.int32),
        round=np.array([row[0] for row in found], np.int32),
        value=np.array([row[3] for row in found], np.float64),
        seconds=np.array([2.0 * row[0] for row in found], np.float64),
    )


def no_events() -> Events:
    empty = np.empty(0, np.int64)
    return Events(empty, empty, empty, empty, empty, empty, empty, {})


@given(rows)
def test_last_values_are_those_of_each_nodes_latest_round(found: list[Row]) -> None:
    latest: dict[int, tuple[int, float]] = {}
    for round, node, metric, value in found:
        if metric == "loss" and (node not in latest or round > latest[node][0]):
            latest[node] = (round, value)
    nodes, values = columns(found).last("loss")
    assert nodes.tolist() == sorted(latest)
    np.testing.assert_array_equal(values, [latest[node][1] for node in sorted(latest)])


@given(rows)
def test_a_curve_has_the_mean_and_the_quantiles_of_every_round(found: list[Row]) -> None:
    series = columns(found).series("loss")
    drawn = curve(series, no_events())
    kept = [row for row in found if row[2] == "loss" and np.isfinite(row[3])]
    assert series.dropped == sum(row[2] == "loss" for row in found) - len(kept)
    assert drawn["round"] == sorted({row[0] for row in kept})
    for at, round in enumerate(drawn["round"]):
        values = [row[3] for row in kept if row[0] == round]
        assert drawn["nodes"][at] == len(values)
        for name, share in {"low": 0, "lower": 0.25, "upper": 0.75, "high": 1}.items():
            assert drawn[name][at] == pytest.approx(np.quantile(values, share), rel=1e-3, abs=1e-300)
        assert drawn["middle"][at] == pytest.approx(math.fsum(values) / len(values), rel=1e-3, abs=1e-3 * max(map(abs, values)))


@given(st.integers(0, 3000), st.integers(2, 400))
def test_stretches_and_choices_cover_all_and_keep_the_ends(size: int, most: int) -> None:
    parts = stretch(size, most)
    assert len(parts) == min(size, most)
    assert [int(at) for part in parts for at in part] == list(range(size))
    chosen = evenly(size, most).tolist()
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(size, most)
    assert not size or (chosen[0], chosen[-1]) == (0, size - 1)


def test_a_spike_survives_down_sampling() -> None:
    found = [(round, node, "loss", 9.0 if (round, node) == (760, 1) else 0.5) for round in range(5000) for node in range(3)]
    drawn = curve(columns(found).series("loss"), no_events())
    assert len(drawn["round"]) == MOST_POINTS
    assert (drawn["round"][0], drawn["round"][-1]) == (0, 4999)
    assert drawn["high"].count(9.0) == 1
    assert max(drawn["middle"]) == 0.5


def test_a_node_that_comes_back_late_does_not_turn_time_back() -> None:
    series = columns([(0, 0, "loss", 1.0), (1, 0, "loss", 0.9), (1, 1, "loss", 0.9), (2, 0, "loss", 0.5)]).series("loss")
    late = replace(series, seconds=np.array([0.0, 1.0, 8.0, 6.0]))
    assert curve(late, no_events())["seconds"] == [0.0, 8.0, 8.0]


def test_lines_of_single_nodes_are_chosen_by_rank_and_may_have_gaps() -> None:
    found = [(round, node, "accuracy", node / 100 + round / 1000) for round in range(3) for node in range(100) if (round, node) != (1, 0)]
    metrics = columns(found)
    chosen = representatives(metrics, "accuracy", most=3)
    assert chosen.tolist() == [0, 50, 99]
    drawn = lines(metrics.series("accuracy"), [0, 1, 2], chosen)
    assert drawn == [[0.0, None, 0.002], [0.5, 0.501, 0.502], [0.99, 0.991, 0.992]]
    assert lines(metrics.series("accuracy"), [0, 2], np.array([7, 3])) == [[0.07, 0.072], [0.03, 0.032]]


def test_short_numbers() -> None:
    assert short([0.123456, 1234567.0, float("nan"), float("inf"), 0.0]) == [0.1235, 1235000.0, None, None, 0.0]
