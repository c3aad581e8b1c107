"""Decentralized rules on a dumbbell, beside the figures of the ClippedGossip paper: which keep its two halves together?

    python benchmarks/robustness_dumbbell.py MNIST            all cells that are missing, then the table; may be stopped and started
    python benchmarks/robustness_dumbbell.py MNIST --table    only the table of what is there

MNIST is an .npz file (x_train, y_train, x_test, y_test) or a folder of idx files. He, Karimireddy, Jaggi 2022, "Byzantine-Robust
Decentralized Learning via ClippedGossip", https://arxiv.org/abs/2202.01545: two cliques with one edge between them, nobody attacks; in
the non-iid case one clique has the samples of the lower labels, the other those of the higher ones. Every rule stands one bad neighbour
but for the mean. `global` is the accuracy of the mean of all models, as in the paper.

Each cell is a line of benchmarks/results/robustness_dumbbell.jsonl.
"""

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import robustness_cells as cells_of
import torch

import coterie
from coterie.core.bounds import Count
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged
from coterie.topologies import SparseGraph, topology
from coterie.topologies.graph import Graph

NAME, KEYS = "robustness_dumbbell", ("rule", "data", "seed")
CLIQUE, ROUNDS = 10, 900
RULES: dict[str, Any] = {
    "Gossip": "mean",
    "SCClip": {"name": "self_centered_clipping", "byzantine": 1},
    "GM": "geometric_median",
    "TM": {"name": "bridge_trimmed_mean", "byzantine": 1},
    "UBAR": {"name": "ubar", "byzantine": 1},
}
PAPER = {
    "Gossip": (96.4, 93.6, 68.7, 75.1),
    "SCClip": (96.4, 93.7, 70.9, 72.1),
    "GM": (95.7, 88.6, 50.7, 47.2),
    "TM": (95.4, 86.9, 50.7, 47.3),
    "UBAR": (96.0, 85.9, 50.6, 47.2),
}
"""Global accuracy iid, global non-iid, and non-iid that of each clique's own models, in %."""


@topology("dumbbell")
def dumbbell(nodes: int, draw: np.random.Generator, *, clique: Count = CLIQUE) -> Graph:  # noqa: ARG001
    """Two cliques and one edge between them."""
    halves = [np.arange(clique), np.arange(clique, nodes)]
    edges = [pair for half in halves for pair in itertools.combinations(half.tolist(), 2)]
    return SparseGraph.of(nodes, np.array([*edges, (clique - 1, clique)]))


@partition("sorted")
def in_order(pool: Pool) -> Ragged:
    """Samples sorted by label, cut into as many runs as there are nodes."""
    owners = np.empty(pool.size, np.int64)
    owners[np.lexsort((pool.keys, pool.targets))] = np.arange(pool.size) * pool.count // pool.size
    return pool.dealt(owners)


def run(mnist: str, rule: str, data: str, seed: int) -> dict[str, Any]:
    """One cell."""
    scenario = coterie.Scenario(
        name="robustness-dumbbell",
        seed=seed,
        nodes=2 * CLIQUE,
        architecture="decentralized",
        topology="dumbbell",
        until=ROUNDS,
        task={"dataset": {"name": "mnist", "path": mnist}, "model": {"name": "mlp", "hidden": [100]}, "test_fraction": 0.0},
        partition="iid" if data == "iid" else "sorted",
        training={"steps": 1, "batch_size": 32, "optimizer": {"name": "sgd", "learning_rate": 0.1}},
        aggregation=RULES[rule],
        evaluation={"every": ROUNDS},
        executor="inline",
        plugins=[str(Path(__file__).resolve())],
    )
    with tempfile.TemporaryDirectory() as folder:
        done = coterie.run(scenario, out=Path(folder) / "run")
        _, each = done.folder.metrics.last("accuracy")
        task = done.setup.task
        with torch.no_grad():
            outputs = done.model()(torch.from_numpy(np.asarray(task.common_inputs)))
        whole = float((outputs.argmax(1).numpy() == task.common_targets).mean())
    return {"global": whole, "first": float(each[:CLIQUE].mean()), "second": float(each[CLIQUE:].mean())}


def show() -> None:
    """The table: ours, and the paper's in brackets."""
    rows = cells_of.known(NAME, KEYS)
    print(f"{len(rows)} cells; accuracy in % after {ROUNDS} rounds (the paper's in brackets)")
    print(f"{'rule':8} {'global, iid':>16} {'global, non-iid':>16} {'first clique':>16} {'second clique':>16}")
    for rule, paper in PAPER.items():
        told = []
        for (data, figure), theirs in zip(
            (("iid", "global"), *(("sorted", name) for name in ("global", "first", "second"))), paper, strict=True
        ):
            found = [100 * row[figure] for key, row in rows.items() if key[:2] == (rule, data)]
            told.append(f"{np.mean(found):.1f} ({theirs})" if found else f"- ({theirs})")
        print(f"{rule:8} " + " ".join(f"{words:>16}" for words in told))


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        cells = itertools.product(RULES, ("sorted", "iid"), range(arguments.seeds))
        cells_of.fill(NAME, KEYS, cells, lambda *cell: run(arguments.mnist, *cell))
    show()


if __name__ == "__main__":
    main()
