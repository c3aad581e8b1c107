"""Robust aggregation on MNIST dealt out by label, with and without bucketing and momentum, beside the bucketing paper's table.

    python benchmarks/robustness_bucketing.py MNIST                 all cells that are missing, then the table; may be stopped and started
    python benchmarks/robustness_bucketing.py MNIST --seeds 3       the six named cells with three seeds
    python benchmarks/robustness_bucketing.py MNIST --table         only the table of what is there

MNIST is an .npz file (x_train, y_train, x_test, y_test) or a folder of idx files. Karimireddy, He, Jaggi 2022, "Byzantine-Robust
Learning on Heterogeneous Datasets via Bucketing", https://arxiv.org/abs/2006.09365, experiment 3: 25 nodes, of which 5 attack, the others
share the samples sorted by label; one step on 32 samples a round. Here 300 rounds instead of 600, a smaller network, and one seed
instead of three. The paper's momentum is a sum and not a mean (m ← β m + g), which is the same as a mean at 1 / (1 - β) times the
learning rate; its radius of clipping, 10 / (1 - β) for gradients, is 10 times the plain learning rate for updates.

Each cell is a line of benchmarks/results/robustness_bucketing.jsonl.
"""

import argparse
import itertools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import robustness_cells as cells_of

import coterie
from coterie.core.bounds import Count
from coterie.tasks.frame import Frame
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.preprocessing import stage
from coterie.tasks.ragged import Ragged

NAME, KEYS = "robustness_bucketing", ("rule", "bucketing", "momentum", "attack", "seed")
ROUNDS, RATE, BATCH, BAD, BETA = 300, 0.01, 32, 5, 0.9
ATTACKS: dict[str, dict[str, Any]] = {
    "ALIE": {"name": "alie", "knowledge": "honest"},
    "bit flip": {"name": "sign_flip"},
    "IPM": {"name": "inner_product", "epsilon": 0.1, "knowledge": "honest"},
    "label flip": {"name": "label_flip", "mode": "mirrored"},
    "mimic": {"name": "mimic", "knowledge": "honest"},
}
RULES: dict[str, dict[str, Any]] = {
    "CClip": {"name": "centered_clipping", "iterations": 1},
    "CM": {"name": "median"},
    "Krum": {"name": "krum", "byzantine": BAD},
    "RFA": {"name": "geometric_median"},
}
PAPER: dict[tuple[str, int, float], tuple[float, ...]] = {
    ("CClip", 0, 0.0): (91.2, 75.3, 92.0, 91.3, 91.7),
    ("CClip", 0, 0.9): (98.1, 97.7, 97.7, 97.7, 97.8),
    ("CClip", 2, 0.9): (98.1, 97.8, 97.8, 97.8, 97.9),
    ("CM", 0, 0.0): (79.3, 37.2, 50.1, 34.7, 66.6),
    ("CM", 0, 0.9): (9.9, 42.0, 36.1, 49.5, 58.2),
    ("CM", 2, 0.9): (39.1, 62.0, 58.1, 70.7, 78.1),
    ("Krum", 0, 0.0): (77.4, 27.8, 36.6, 1.0, 37.6),
    ("Krum", 0, 0.9): (11.4, 10.0, 10.0, 1.0, 30.9),
    ("Krum", 2, 0.9): (10.1, 26.8, 43.4, 42.9, 65.1),
    ("RFA", 0, 0.0): (73.0, 69.2, 15.6, 90.7, 79.2),
    ("RFA", 0, 0.9): (11.4, 83.6, 11.7, 96.0, 86.0),
    ("RFA", 2, 0.9): (87.7, 97.0, 96.1, 97.5, 97.3),
}
"""Accuracy in %, in the order of ATTACKS; bucketing without momentum is not in the paper's experiment 3."""
NAMED = [("CClip", 0, 0.9, "ALIE"), ("CClip", 0, 0.0, "bit flip"), ("RFA", 0, 0.9, "IPM"), ("RFA", 2, 0.9, "IPM")]
NAMED += [("Krum", 0, 0.9, "label flip"), ("CM", 2, 0.9, "mimic")]


@partition("sorted-among-honest")
def sorted_among_honest(pool: Pool, *, attackers: Count = BAD, share: float = 0.05) -> Ragged:
    """The last `attackers` nodes get an even `share` of the samples; the others share the rest, sorted by label."""
    honest = pool.count - attackers
    drawn = pool.keys < np.quantile(pool.keys, share)
    owners = np.empty(pool.size, np.int64)
    owners[drawn] = honest + np.arange(np.count_nonzero(drawn)) % attackers
    rest = np.flatnonzero(~drawn)
    order = rest[np.lexsort((pool.keys[rest], pool.targets[rest]))]
    owners[order] = np.arange(len(order)) * honest // len(order)
    return pool.dealt(owners)


@stage("as-usual")
def as_usual(frame: Frame) -> Frame:
    """Pixels less the mean of all of MNIST's, over their standard deviation, as everybody has them."""
    for values in frame.numbers():
        values[...] = (values - 0.1307) / 0.3081
    return frame


def scenario(mnist: str, cell: tuple[str, int, float, str], seed: int) -> coterie.Scenario:
    """One cell."""
    rule, size, beta, attack = cell
    chosen = dict(RULES[rule])
    if rule == "CClip":
        chosen["radius"] = 10 * RATE / (1 - beta)
    if size:
        chosen = {"name": "bucketing", "size": size, "then": chosen}
    return coterie.Scenario(
        name="robustness-bucketing",
        seed=seed,
        nodes=26,
        topology={"name": "star", "center": 0},
        roles={"aggregator": [0], "trainer": "rest"},
        until=ROUNDS,
        task={
            "dataset": {"name": "mnist", "path": mnist},
            "model": {"name": "cnn", "channels": [8, 16], "hidden": [64]},
            "test_fraction": 0.0,
            "preprocess": ["as-usual"],
        },
        partition={"name": "sorted-among-honest"},
        training={"steps": 1, "batch_size": BATCH, "optimizer": {"name": "sgd", "learning_rate": RATE / (1 - beta)}},
        algorithm={"name": "momentum", "beta": beta} if beta else "fedavg",
        aggregation=chosen,
        attacks=[{**ATTACKS[attack], "who": ["21-25"]}],
        evaluation={"every": 20},
        executor="inline",
        plugins=[str(Path(__file__).resolve())],
    )


def run_cell(mnist: str, cell: tuple[str, int, float, str], seed: int) -> dict[str, Any]:
    """The accuracy over the last 60 rounds, and of the last."""
    with tempfile.TemporaryDirectory() as folder:
        series = coterie.run(scenario(mnist, cell, seed), out=Path(folder) / "run").folder.metrics.series("accuracy")
    return {"accuracy": float(series.value[series.round > ROUNDS - 60].mean()), "final": float(series.value[-1])}


def show() -> None:
    """The table: ours, and the paper's in brackets."""
    rows = cells_of.known(NAME, KEYS)
    print(f"{len(rows)} cells; accuracy in % over the last 60 of {ROUNDS} rounds (the paper's, of 600, in brackets)")
    print(f"{'rule':6} {'s':>2} {'beta':>4}  " + "  ".join(f"{attack:>16}" for attack in ATTACKS))
    for rule, size, beta in itertools.product(RULES, (0, 2), (0.0, 0.9)):
        told = []
        for attack, paper in itertools.zip_longest(ATTACKS, PAPER.get((rule, size, beta), ())):
            found = [100 * row["accuracy"] for key, row in rows.items() if key[:4] == (rule, size, beta, attack)]
            mine = f"{np.mean(found):.1f}" + (f"±{np.std(found, ddof=1):.1f}" if len(found) > 1 else "") if found else "-"
            told.append(f"{mine} ({'-' if paper is None else paper})")
        print(f"{rule:6} {size:2} {beta:4}  " + "  ".join(f"{words:>16}" for words in told))


def main() -> None:
    """Run what is missing, the cells of the paper first, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--seeds", type=int, default=1, help="of the six named cells")
    parser.add_argument("--cells", type=int, default=10**9, help="run at most so many")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    cells = [(*key, attack, 0) for key in sorted(PAPER, key=lambda key: -key[2]) for attack in ATTACKS]
    cells += [(rule, 2, 0.0, attack, 0) for rule in RULES for attack in ATTACKS]
    cells += [(*cell, seed) for seed in range(1, arguments.seeds) for cell in NAMED]
    if not arguments.table:
        cells_of.fill(NAME, KEYS, cells, lambda *cell: run_cell(arguments.mnist, cell[:4], cell[4]), most=arguments.cells)
    show()


if __name__ == "__main__":
    main()
