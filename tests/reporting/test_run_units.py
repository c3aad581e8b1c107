"""Numbers as people read them."""

import pytest

from coterie.reporting.measures import measure, own
from coterie.reporting.units import counted, data_size, duration, number


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (460_288, "460 kB"),
        (12_440_000, "12.4 MB"),
        (999_950, "1 MB"),
        (3e21, "3000000 PB"),
        (None, "—"),
    ],
)
def test_sizes(count: float | None, words: str) -> None:
    assert data_size(count) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.34, "340 ms"),
        (4.123, "4.12 s"),
        (41.7, "42 s"),
        (59.7, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3599.8, "1 h 00 min"),
        (11_520, "3 h 12 min"),
        (187_300, "2 d 04 h"),
        (None, "—"),
    ],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words


def test_counts() -> None:
    assert number(12_000) == "12,000"
    assert number(None) == "—"
    assert (counted(1, "round"), counted(2000, "round")) == ("1 round", "2,000 rounds")


def test_measures_know_their_unit_and_their_direction() -> None:
    assert measure("accuracy_own").written(0.9134) == "91.3 %"
    assert measure("accuracy").ranged(0.5, 0.25, 0.75) == "50.0 % [25.0–75.0]"
    assert measure("r2").ranged(-0.3, -0.524, -0.179) == "-0.300 [-0.524 to -0.179]"
    assert measure("r2").ranged(0.5, 0.5, 0.5) == "0.500"
    assert measure("loss").written(None) == "—"
    rising = {name: measure(name).rising for name in ("accuracy", "r2", "loss", "loss_own", "train_loss", "rmse", "glossary")}
    assert rising == {"accuracy": True, "r2": True, "loss": False, "loss_own": False, "train_loss": False, "rmse": False, "glossary": True}
    assert own("r2") == "r2_own"
