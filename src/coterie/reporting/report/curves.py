"""Curves over rounds, small enough to embed: a few hundred points, a few dozen single nodes, four digits."""

from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.reporting.events import Events
from coterie.reporting.metrics import Metrics, Series

MOST_POINTS = 240
MOST_LINES = 36


def curve(series: Series, events: Events, moved_before: int = 0) -> dict[str, Any]:
    """One metric over rounds as columns of at most MOST_POINTS: `round`, `nodes`, `low`, `lower`, `middle`, `upper`, `high`
    (over nodes: minimum, lower quartile, mean, upper quartile, maximum), `seconds` (virtual, when the last
    node came to that round or an earlier one) and `bytes` (sent until then, and `moved_before`).

    Points stand for stretches of rounds where there are too many: the band is then the widest of the stretch, the rest its last.
    """
    order = np.lexsort((series.value, series.round))
    rounds, value = series.round[order], series.value[order]
    start = np.flatnonzero(np.diff(rounds, prepend=-1))
    count = np.diff(start, append=len(rounds))
    when = np.maximum.accumulate(np.maximum.reduceat(series.seconds[order], start)) if len(start) else np.empty(0)
    rounds = rounds[start]
    stretches = stretch(len(rounds))
    ends = np.array([part[-1] for part in stretches], np.intp)

    def quantile(share: float) -> npt.NDArray[np.float64]:
        at = start + share * (count - 1)
        below = np.floor(at).astype(np.intp)
        above = np.minimum(below + 1, start + count - 1)
        found: npt.NDArray[np.float64] = value[below] + (at - below) * (value[above] - value[below])
        return found

    low, high = quantile(0.0), quantile(1.0)
    with np.errstate(over="ignore"):
        sums = np.add.reduceat(value, start) if len(start) else low
    mean = np.clip(sums / count, low, high)
    return {
        "round": rounds[ends].tolist(),
        "nodes": count[ends].tolist(),
        "low": short([float(low[part].min()) for part in stretches]),
        "lower": short(quantile(0.25)[ends]),
        "middle": short(mean[ends]),
        "upper": short(quantile(0.75)[ends]),
        "high": short([float(high[part].max()) for part in stretches]),
        "seconds": short(when[ends], 6),
        "bytes": (events.bytes_until(rounds[ends]) + moved_before).tolist(),
    }


def lines(series: Series, rounds: list[int], nodes: npt.NDArray[Any]) -> list[list[float | None]]:
    """The values of single `nodes` at `rounds` of a curve: a list a node, None where it was not measured."""
    mine = series.of(nodes)
    known = np.isin(mine.round, rounds)
    table = np.full((len(nodes), len(rounds)), np.nan)
    order = np.argsort(nodes)
    rows = order[np.searchsorted(nodes, mine.node[known], sorter=order)]
    table[rows, np.searchsorted(rounds, mine.round[known])] = mine.value[known]
    return [short(row) for row in table]


def representatives(metrics: Metrics, metric: str, most: int = MOST_LINES) -> npt.NDArray[np.int32]:
    """At most so many nodes, evenly spaced from the worst to the best at the end (both included)."""
    nodes, values = metrics.last(metric)
    ranked = nodes[np.argsort(values, kind="stable")]
    return ranked[evenly(len(ranked), most)]


def evenly(size: int, most: int) -> npt.NDArray[np.intp]:
    """At most so many of the positions 0 to size - 1, evenly spaced, both ends included."""
    return np.round(np.linspace(0, size - 1, min(size, most))).astype(np.intp)


def stretch(size: int, most: int = MOST_POINTS) -> list[npt.NDArray[np.intp]]:
    """The positions 0 to size - 1 in at most so many runs of about one length; the first position stays alone."""
    if size <= most:
        return [np.array([at], np.intp) for at in range(size)]
    return [np.zeros(1, np.intp), *np.array_split(np.arange(1, size), most - 1)]


def short(values: npt.ArrayLike, digits: int = 4) -> list[float | None]:
    """Numbers with so many significant digits; None for those that are not finite."""
    return [float(f"{value:.{digits}g}") if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64).tolist()]
