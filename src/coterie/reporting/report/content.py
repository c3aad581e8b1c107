"""What the report of one run shows, gathered from its folder: a dict of plain data for the template and the scripts."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from coterie.core.errors import ScenarioError
from coterie.reporting.events import Events
from coterie.reporting.facts import Facts
from coterie.reporting.measures import measure, own
from coterie.reporting.metrics import Metrics
from coterie.reporting.report.curves import curve, evenly, lines, representatives, short, stretch
from coterie.reporting.report.gantt import timeline
from coterie.reporting.report.graph import MOST_EDGES, excerpt, place
from coterie.reporting.report.verdicts import verdicts
from coterie.reporting.run_folder import RunFolder
from coterie.reporting.settings import settings
from coterie.reporting.summary import Outcome, Summary, spreads

FEDERATION = "federation"
MOST_NODES = 48
"""Up to so many nodes each has a row of its own in the plot of final scores."""
MOST_RANKS = 400
MOST_CELLS = 4000
MOST_CLASSES = 100
MOST_CURVES = 12


def outcome(folder: RunFolder) -> Summary:
    """The run's summary; of an unfinished run what its rows tell so far."""
    if folder.finished:
        return folder.summary
    events, told = folder.events, known_settings(folder)
    seed = told.get("seed")
    return Summary(
        name=str(told.get("name") or folder.path.name),
        seed=seed if isinstance(seed, int) else 0,
        nodes=folder.facts.nodes,
        rounds=int(events.round[-1]) if len(events) else 0,
        bytes_sent=int(events.bytes.sum()),
        messages=int(events.messages.sum()),
        virtual_seconds=float(events.seconds[-1]) if len(events) else 0.0,
        wall_seconds=float(events.wall_seconds[-1]) if len(events) else 0.0,
        dataset_bytes=folder.facts.dataset_bytes,
        **spreads(folder.metrics.final()),
    )


def known_settings(folder: RunFolder) -> dict[str, Any]:
    """Dotted path → value of a run's settings; none where its scenario cannot be read, so that the rest is shown all the same."""
    try:
        return settings(folder.scenario)
    except ScenarioError:
        return {}


def curves(name: str, folder: RunFolder, outcome: Outcome, *, single_nodes: bool) -> dict[str, Any]:
    """One run as the plots draw it: every metric over rounds, with lines of single nodes where asked for."""
    metrics, events = folder.metrics, folder.events
    shown = _shown(metrics.names, outcome.metric)
    found = {metric: curve(metrics.series(metric), events, outcome.raw_bytes) for metric in shown}
    singles: dict[str, Any] = {}
    if single_nodes:
        chosen = representatives(metrics, outcome.scored)
        singles = {metric: lines(metrics.series(metric), found[metric]["round"], chosen) for metric in shown}
    return {"name": name, "label": name.replace("-", " "), "curves": found, "lines": singles, "band": single_nodes}


def _over(rounds: int, run: dict[str, Any], own_rounds: int) -> dict[str, Any]:
    """A baseline over the federation's `rounds`, in which it trained on as many samples in rounds of another size."""
    if rounds and own_rounds and rounds != own_rounds:
        for found in run["curves"].values():
            found["round"] = [round(number * rounds / own_rounds, 1) for number in found["round"]]
        run |= {"label": f"{run['label']}, {own_rounds} rounds", "stretched": True}
    return run


def _shown(names: tuple[str, ...], main: str) -> list[str]:
    first = [name for name in (main, own(main), "loss", "loss_own", "train_loss") if name in names]
    return (first + [name for name in names if name not in first])[:MOST_CURVES]


def described(names: list[str]) -> dict[str, Any]:
    """What the scripts need to know of metrics: label, whether a percentage, whether more is better."""
    kinds = [measure(name) for name in names]
    return {kind.name: {"label": kind.label, "percent": kind.percent, "rising": kind.rising} for kind in kinds}


def content(folder: RunFolder) -> dict[str, Any]:
    """Everything the scripts of a run's report draw."""
    summary, facts = outcome(folder), folder.facts
    finished = {name: baseline for name, baseline in folder.baselines().items() if baseline.finished}
    others = {name: finished[name] for name in dict.fromkeys([*summary.baselines, *finished]) if name in finished}
    runs = [curves(FEDERATION, folder, summary, single_nodes=True)]
    for name, other in others.items():
        told = summary.baselines.get(name, outcome(other))
        runs.append(_over(summary.rounds, curves(name, other, told, single_nodes=False), told.rounds))
    drawn = {metric for run in runs for metric in run["curves"]}
    return {
        "metric": summary.metric,
        "measures": described(sorted(drawn)),
        "runs": runs,
        "nodes": final(folder.metrics, others, summary, facts),
        "graph": graph(facts, folder.metrics, summary),
        "partition": partition(facts),
        "rounds": rounds(folder.events),
        "timeline": timeline(folder.events, facts),
        "verdicts": verdicts(folder.events, facts, summary.rounds),
        "edges": edge_traffic(facts),
    }


def final(metrics: Metrics, baselines: Mapping[str, RunFolder], summary: Summary, facts: Facts) -> list[dict[str, Any]]:
    """Final scores per node, best first: for the common test set and for own data, whichever several nodes were measured on.

    Each with columns `node`, `name`, `value`, and `local`: what the node reaches alone (where that baseline was run). Of more
    than MOST_RANKS nodes an even choice by rank.
    """
    alone = baselines["local"].metrics if "local" in baselines else None
    found = []
    for metric in (summary.metric, own(summary.metric)):
        nodes, values = metrics.last(metric)
        if len(nodes) < 2:
            continue
        order = np.argsort(-values, kind="stable")
        at = evenly(len(order), MOST_RANKS)
        local = dict(zip(*(column.tolist() for column in alone.last(metric)), strict=True)) if alone is not None else {}
        shown = nodes[order[at]].tolist()
        level = summary.baselines["centralized"].spread(metric) if "centralized" in summary.baselines else None
        found.append(
            {
                "metric": metric,
                "total": len(nodes),
                "rank": (at + 1).tolist(),
                "node": shown,
                "name": [facts.name(node) for node in shown],
                "value": short(values[order[at]]),
                "local": short([local.get(node, np.nan) for node in shown]) if local else None,
                "centralized": level.mean if level else None,
                "rows": len(nodes) <= MOST_NODES,
            }
        )
    return found


def graph(facts: Facts, metrics: Metrics, summary: Summary) -> dict[str, Any] | None:
    """The graph with places, roles and traffic, or the neighbourhood of its busiest node where it is too large to draw."""
    edges = np.array(facts.edges, np.int64).reshape(-1, 2)
    nodes = max(facts.nodes, len(facts.partition.sizes), int(edges.max(initial=-1)) + 1)
    if not nodes or not len(edges):
        return None
    if edges.min() < 0 or nodes > 10_000_000:
        raise ScenarioError.at("facts.json", "has edges between nodes that cannot be", "restore it from a copy, or run again")
    kept = excerpt(nodes, edges)
    inside = np.isin(edges, kept).all(axis=1)
    drawn = np.searchsorted(kept, edges[inside])
    points = place(len(kept), drawn)
    traffic = _both_ways(facts)
    few = drawn[evenly(len(drawn), MOST_EDGES)]
    roles = {role: set(getattr(facts.roles, role)) for role in ("trainer", "aggregator", "proxy", "idle")}
    score = dict(zip(*(column.tolist() for column in metrics.last(summary.scored)), strict=True))
    sizes, degrees = facts.partition.sizes, np.bincount(edges.ravel(), minlength=nodes)
    return {
        "total": nodes,
        "edgeTotal": facts.edge_count if facts.edge_count is not None else len(edges),
        "edgesDrawn": len(few),
        "rotates": facts.roles.rotates,
        "metric": summary.scored,
        "x": short(points[:, 0]),
        "y": short(points[:, 1]),
        "name": [facts.name(node) for node in kept.tolist()],
        "roles": [[role for role, ids in roles.items() if node in ids] for node in kept.tolist()],
        "samples": [sizes[node] if node < len(sizes) else None for node in kept.tolist()],
        "degree": degrees[kept].tolist(),
        "score": short([score.get(node, np.nan) for node in kept.tolist()]),
        "edges": few.tolist(),
        "bytes": [traffic.get((min(pair), max(pair))) for pair in kept[few].tolist()],
    }


def partition(facts: Facts) -> dict[str, Any] | None:
    """Samples of each class at each node; of very many nodes an even choice, ordered by the class they hold most of."""
    held = facts.partition
    sizes = np.array(held.sizes or [sum(row) for row in held.counts], np.int64)
    if not len(sizes):
        return None
    classes = list(held.classes[:MOST_CLASSES])
    if len(held.counts) != len(sizes) or any(len(row) != len(held.classes) for row in held.counts):
        classes = []  # a regression, or not what it should be: sizes alone
    counts = np.array([row[: len(classes)] for row in held.counts] if classes else np.zeros((len(sizes), 0)), np.int64)
    most = max(20, min(160, MOST_CELLS // max(len(classes), 1)))
    chosen = evenly(len(sizes), most)
    if len(sizes) > most and classes:
        chosen = chosen[np.argsort(counts[chosen].argmax(axis=1), kind="stable")]
    return {
        "total": len(sizes),
        "classTotal": len(held.classes),
        "classes": classes,
        "node": chosen.tolist(),
        "name": [facts.name(node) for node in chosen.tolist()],
        "counts": counts[chosen].tolist(),
        "sizes": sizes[chosen].tolist(),
        "skew": held.jensen_shannon,
    }


def rounds(events: Events) -> dict[str, Any]:
    """Traffic and time round by round; of very many rounds the mean of each stretch."""
    parts = stretch(len(events))

    def mean(values: Any) -> list[float | None]:
        return short([float(values[part].mean()) for part in parts], 6)

    return {
        "round": [int(events.round[part[-1]]) for part in parts],
        "stretch": max((len(part) for part in parts), default=1),
        "bytes": mean(events.bytes),
        "messages": mean(events.messages),
        "trained": mean(events.trained),
        "aggregated": mean(events.aggregated),
        "seconds": mean(_spent(events.seconds)),
        "wall": mean(_spent(events.wall_seconds)),
    }


def _spent(clock: Any) -> Any:
    """How much a clock went on in each round; one that was set back (a resumed run) stood still."""
    return np.maximum(np.diff(clock, prepend=0.0), 0.0)


def edge_traffic(facts: Facts) -> dict[str, Any] | None:
    """Bytes over each edge, heaviest first; of very many edges an even choice by rank."""
    ranked = sorted(_both_ways(facts).items(), key=lambda edge: (-edge[1], edge[0]))
    if not ranked:
        return None
    at = evenly(len(ranked), MOST_RANKS)
    chosen = [ranked[i] for i in at.tolist()]
    return {
        "total": len(ranked),
        "rank": (at + 1).tolist(),
        "name": [f"{facts.name(a)} ↔ {facts.name(b)}" for (a, b), _ in chosen],
        "bytes": [size for _, size in chosen],
    }


def _both_ways(facts: Facts) -> dict[tuple[int, int], int]:
    """Bytes over each edge, its lower node first."""
    found: dict[tuple[int, int], int] = {}
    for a, b, size in facts.edge_bytes:
        edge = (min(a, b), max(a, b))
        found[edge] = found.get(edge, 0) + size
    return found
