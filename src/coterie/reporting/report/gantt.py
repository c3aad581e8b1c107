"""Who trained, sent, waited and came too late, and when: a strip for each of some nodes."""

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.reporting.events import Events, Stretches
from coterie.reporting.facts import Facts
from coterie.reporting.report.curves import evenly, short

MOST_ROWS = 32
MOST_STRETCHES = 2500
"""Up to so many stretches are drawn one by one; of more, how busy a node was in each of BINS parts of the time."""
BINS = 240
CLOSE_ROUNDS = 4
KINDS = ("train", "send", "cut")
FAULTS = {
    "crash": "is down",
    "pause": "is paused",
    "slow": "is slow",
    "clock-skew": "has a clock that is wrong",
    "full-disk": "has a full disk",
    "cut": "is cut off from a neighbour",
    "partition": "is cut off from others",
}
"""What a node that a fault concerns is shown as."""
MOST_FAULTS = 500


def timeline(events: Events, facts: Facts) -> dict[str, Any] | None:
    """What the strip shows: rows (nodes), views of the time (the whole, and a few rounds in the middle), and how busy each is."""
    found = events.stretches
    if found is None or not len(events):
        return None
    until = float(events.seconds[-1])
    found = _pick(found, ~_of_models(found, facts))
    nodes = _rows(found, facts)
    shown = set(nodes.tolist())
    events = replace(events, faults=tuple(one for one in events.faults if one.what in FAULTS and not shown.isdisjoint(one.nodes)))
    found = _pick(found, np.isin(found.node, nodes) & (found.begin <= until))
    if not len(found.node) or until <= 0:
        return None
    known = float(events.seconds[min(int(np.searchsorted(events.seconds, found.begin.max())), len(events) - 1)])
    views = [{"label": "Whole run", **_view(found, events, nodes, (0.0, until))}]
    if len(events) > 2 * CLOSE_ROUNDS:
        seen = int(np.searchsorted(events.seconds, known))
        first = max(1, min(seen, len(events)) // 2 - CLOSE_ROUNDS // 2)
        span = (float(events.seconds[first - 1]), float(events.seconds[first + CLOSE_ROUNDS - 1]))
        label = f"Rounds {events.round[first]} to {events.round[first + CLOSE_ROUNDS - 1]}"
        views.insert(0, {"label": label, **_view(found, events, nodes, span)})
    train = _shares(found, nodes, "train", known)
    return {
        "node": nodes.tolist(),
        "name": [facts.name(node) for node in nodes.tolist()],
        "total": facts.nodes,
        "train": short(train),
        "send": short(_shares(found, nodes, "send", known)),
        "known": known,
        "whole": bool(known >= until * 0.999),
        "views": views,
    }


def _pick(found: Stretches, which: npt.NDArray[np.bool_]) -> Stretches:
    what, node, round, begin, end, other = found
    return Stretches(what[which], node[which], round[which], begin[which], end[which], other[which])


def _of_models(found: Stretches, facts: Facts) -> npt.NDArray[np.bool_]:
    """What came too late where only fixed nodes aggregate, and not at one of these: models for nodes that were away."""
    fixed = facts.roles.aggregator and facts.architecture == "centralized"
    late: npt.NDArray[np.bool_] = (found.what == "cut") & ~np.isin(found.other, facts.roles.aggregator)
    return late if fixed else np.zeros(len(late), np.bool_)


def _rows(found: Stretches, facts: Facts) -> npt.NDArray[np.int32]:
    """The nodes that get a row: some that aggregate, and an even choice of the others that did anything."""
    active = np.unique(found.node)
    if len(active) <= MOST_ROWS:
        return active
    first = np.intersect1d(active, np.array(facts.roles.aggregator[: MOST_ROWS // 8], active.dtype))
    others = np.setdiff1d(active, first)
    return np.union1d(first, others[evenly(len(others), MOST_ROWS - len(first))])


def _view(found: Stretches, events: Events, nodes: npt.NDArray[np.int32], span: tuple[float, float]) -> dict[str, Any]:
    begin, end = span
    inside = (found.end >= begin) & (found.begin <= end)
    within = _pick(found, inside)
    rounds = (events.seconds > begin) & (events.seconds <= end)
    few = evenly(int(rounds.sum()), 60)
    drawn: dict[str, Any] = {
        "begin": begin,
        "end": end,
        "ends": short(events.seconds[rounds][few], 8),
        "rounds": events.round[rounds][few].tolist(),
        "faults": _faults(events, nodes, span),
    }
    if len(within.node) > MOST_STRETCHES:
        return drawn | {"bins": {kind: [short(_binned(within, node, kind, begin, end), 2) for node in nodes] for kind in KINDS[:2]}}
    row = np.searchsorted(nodes, within.node)
    kinds = [KINDS.index(kind) if kind in KINDS else 0 for kind in within.what.tolist()]
    starts, stops = np.maximum(within.begin, begin), np.minimum(within.end, end)
    return drawn | {
        "stretches": [list(one) for one in zip(kinds, row.tolist(), within.round.tolist(), short(starts, 8), short(stops, 8), strict=True)]
    }


def _faults(events: Events, nodes: npt.NDArray[np.int32], span: tuple[float, float]) -> list[list[Any]]:
    """Whom faults concerned, and when: [row, words, from, until]."""
    begin, end = span
    rows = {node: row for row, node in enumerate(nodes.tolist())}
    return [
        [rows[node], FAULTS[one.what], max(one.begin, begin), min(end if one.end is None else one.end, end)]
        for one in events.faults
        if one.begin <= end and (one.end is None or one.end >= begin)
        for node in one.nodes
        if node in rows
    ][:MOST_FAULTS]


def _binned(found: Stretches, node: int, kind: str, begin: float, end: float) -> npt.NDArray[np.float64]:
    """The share of each of BINS parts of the time in which a node did a kind of thing."""
    mine = (found.node == node) & (found.what == kind)
    edges = np.linspace(begin, end, BINS + 1)
    low, high = found.begin[mine, None], found.end[mine, None]
    overlap = np.clip(np.minimum(high, edges[1:]) - np.maximum(low, edges[:-1]), 0.0, None).sum(axis=0)
    shares: npt.NDArray[np.float64] = np.minimum(overlap / (edges[1] - edges[0]), 1.0)
    return shares


def _shares(found: Stretches, nodes: npt.NDArray[np.int32], kind: str, known: float) -> npt.NDArray[np.float64]:
    """The share of the time in which each of `nodes` did a kind of thing."""
    mine = (found.what == kind) & (found.begin < known)
    spent = np.minimum(found.end[mine], known) - found.begin[mine]
    sums = np.bincount(np.searchsorted(nodes, found.node[mine]), weights=spent, minlength=len(nodes))
    shares: npt.NDArray[np.float64] = np.minimum(sums / known, 1.0)
    return shares
