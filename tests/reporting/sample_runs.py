"""Run folders as a run would leave them, written through the writer itself."""

from pathlib import Path

import numpy as np

from coterie.reporting.facts import Facts, Model, Partition, Roles
from coterie.reporting.run_folder import RunFolder
from coterie.reporting.summary import Outcome, Summary, spreads

SCENARIO = """\
name: {name}
seed: {seed}
nodes: {nodes}
until: {{rounds: {rounds}}}
task:
  dataset: {{name: digits}}
  model: {{name: mlp, hidden: [64]}}
partition: {{name: dirichlet, alpha: {alpha}}}
architecture: {architecture}
topology: {{name: small-world, neighbours: 4, rewiring: 0.2}}
training:
  optimizer: {{name: sgd, learning_rate: 0.1}}
  batch_size: 16
  epochs: 1
algorithm: {{name: fedavg}}
aggregation: {{name: mean, mixing: metropolis-hastings}}
schedule: {{name: synchronous}}
baselines: [centralized, local, distributed]
"""


def small_world(nodes: int, neighbours: int, rewiring: float, draw: np.random.Generator) -> list[tuple[int, int]]:
    edges = set()
    for node in range(nodes):
        for step in range(1, neighbours // 2 + 1):
            other = (node + step) % nodes
            if draw.random() < rewiring:
                other = int(draw.integers(nodes))
            if other != node:
                edges.add((min(node, other), max(node, other)))
    return sorted(edges)


def curves(nodes: int, rounds: int, ceiling: float, spread: float, pace: float, draw: np.random.Generator) -> np.ndarray:
    """Accuracy (rounds + 1, nodes) that rises to about `ceiling`."""
    time = np.arange(rounds + 1)[:, None]
    ceilings = np.clip(ceiling - spread * draw.gamma(1.5, 1.0, nodes), 0.12, 0.995)
    speed = pace * draw.uniform(0.7, 1.3, nodes)
    rise = 0.1 + (ceilings - 0.1) * (1 - np.exp(-time / speed))
    return np.clip(rise + draw.normal(0, 0.012, rise.shape) * np.exp(-time / (2 * pace)), 0, 1)


def stretches(folder: RunFolder, nodes: int, round: int, pause: float) -> None:
    """Every node trains, the later ones for longer, and then sends until the round ends."""
    end = pause * round
    for node in range(nodes):
        trained = end - pause * (0.9 - 0.8 * node / nodes)
        folder.append_stretch("train", node, round - 1, end - pause, trained)
        folder.append_stretch("send", node, round - 1, trained, end)


def fill(
    folder: RunFolder,
    *,
    nodes: int,
    rounds: int,
    draw: np.random.Generator,
    ceiling: float = 0.94,
    spread: float = 0.015,
    pace: float = 4.0,
    edges: int = 32,
    parameters: int = 4810,
    metric: str = "accuracy",
    pause: float = 1.7,
    raw_bytes: int = 0,
    every: int = 1,
) -> dict:
    """Writes metrics and events of a whole run; returns the fields of its outcome."""
    common = curves(nodes, rounds, ceiling, spread, pace, draw)
    own = np.clip(common + draw.normal(0.0, 0.03, (1, nodes)), 0, 1)
    who = np.arange(nodes)
    traffic = 0
    for round in range(rounds + 1):
        seconds = pause * round
        if round:
            size = int(edges * 2 * (parameters * 4 + 180) * draw.uniform(0.97, 1.0))
            folder.append_round(
                round=round,
                seconds=seconds,
                wall_seconds=0.06 * round,
                bytes=size,
                messages=2 * edges,
                trained=nodes,
                aggregated=nodes,
            )
            traffic += size
            stretches(folder, nodes, round, pause)
        if round % every and round != rounds:
            continue
        for name, values in (
            (metric, common[round]),
            ("loss", 2.3 * (1 - common[round]) ** 0.8),
            (f"{metric}_own", own[round]),
            ("loss_own", 2.4 * (1 - own[round]) ** 0.8),
        ):
            folder.append_metrics(round, name, who, values, seconds)
        if round:
            folder.append_metrics(round, "train_loss", who, 2.1 * (1 - own[round]), seconds)
    return {
        "nodes": nodes,
        "rounds": rounds,
        **spreads(folder.metrics.final()),
        "bytes_sent": traffic,
        "bytes_received": traffic,
        "messages": 2 * edges * rounds,
        "raw_bytes": raw_bytes,
        "virtual_seconds": pause * rounds,
        "wall_seconds": 0.06 * rounds,
        "samples_trained": 1149 * rounds,
    }


def partition(counts: np.ndarray, class_names: tuple[str, ...] | None) -> Partition:
    """`counts`: samples of each node and class; class_names: None for plain numbers, () where there are no classes."""
    classes = tuple(map(str, range(counts.shape[1]))) if class_names is None else class_names
    rows = tuple(map(tuple, counts.tolist())) if classes else ()
    return Partition(classes=classes, counts=rows, sizes=tuple(counts.sum(1).tolist()), jensen_shannon=0.61 if classes else None)


def compared(nodes: int) -> dict[str, dict]:
    """What each baseline is filled with."""
    return {
        "centralized": {"nodes": 1, "ceiling": 0.985, "spread": 0.0, "pace": 2.0, "edges": 0, "raw_bytes": 460_288},
        "local": {"nodes": nodes, "ceiling": 0.55, "spread": 0.07, "pace": 2.5, "edges": 0},
        "distributed": {"nodes": 1, "ceiling": 0.975, "spread": 0.0, "pace": 2.4, "edges": nodes, "raw_bytes": 460_288},
    }


def make_run(
    path: Path,
    *,
    name: str = "sixteen-clinics",
    seed: int = 7,
    nodes: int = 16,
    rounds: int = 30,
    classes: int = 10,
    alpha: float = 0.3,
    architecture: str = "decentralized",
    edges: list[tuple[int, int]] | None = None,
    roles: Roles | None = None,
    names: tuple[str, ...] = (),
    class_names: tuple[str, ...] | None = None,
    baselines: bool = True,
    ceiling: float = 0.94,
    metric: str = "accuracy",
    finish: bool = True,
    every: int = 1,
) -> Path:
    """A finished run with baselines under `path`."""
    draw = np.random.default_rng([seed, nodes])
    text = SCENARIO.format(name=name, seed=seed, nodes=nodes, rounds=rounds, alpha=alpha, architecture=architecture)
    if edges is None:
        edges = small_world(nodes, 4, 0.2, draw)
    counts = np.zeros((nodes, classes), int)
    for label in range(classes):
        counts[:, label] = draw.multinomial(100 * nodes // classes + 40, draw.dirichlet(np.full(nodes, alpha)))
    with RunFolder.create(text, path=path) as folder, folder.logging():
        traffic = tuple((a, b, int(rounds * 2 * 19420 * draw.uniform(0.8, 1.0))) for a, b in edges)
        folder.write_facts(
            Facts(
                nodes=nodes,
                names=names,
                architecture=architecture,
                topology="small-world",
                edges=tuple(edges),
                edge_count=len(edges),
                edge_bytes=traffic,
                roles=roles or Roles(trainer=tuple(range(nodes)), aggregator=tuple(range(nodes))),
                partition=partition(counts, class_names),
                model=Model(name="mlp", parameters=4810),
                dataset="digits",
                dataset_bytes=460_288,
            )
        )
        outcome = fill(folder, nodes=nodes, rounds=rounds, draw=draw, edges=len(edges), ceiling=ceiling, metric=metric, every=every)
        others = {}
        if baselines:
            for other, options in compared(nodes).items():
                with folder.baseline(other, text) as baseline:
                    others[other] = Outcome(**fill(baseline, rounds=rounds, draw=draw, metric=metric, every=every, **options))
                    baseline.write_summary(Summary(name=other, seed=seed, **fields(others[other])))
        if finish:
            folder.write_summary(
                Summary(name=name, seed=seed, ended_by="rounds", digest="ab" * 32, baselines=others, dataset_bytes=460_288, **outcome)
            )
    return path


def fields(outcome: Outcome) -> dict:
    return {field: getattr(outcome, field) for field in Outcome.__struct_fields__}
