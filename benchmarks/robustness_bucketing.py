"""Robust aggregation on MNIST dealt out by label, with and without bucketing and momentum, beside the bucketing paper's table.

    python benchmarks/robustness_bucketing.py MNIST                 all cells that are missing, then the table; may be stopped and started
    python benchmarks/robustness_bucketing.py MNIST --seeds 3       the six named cells with three seeds
    python benchmarks/robustness_bucketing.py MNIST --table         only the table of what is there

MNIST is an .npz file (x_train, y_train, x_test, y_test) or a folder of idx files. Karimireddy, He, Jaggi 2022, "Byzantine-Robust
Learning on Heterogeneous Datasets via Bucketing", https://arxiv.org/abs/2006.09365, experiment 3: 25 nodes, of which 5 attack, the others
share the samples sorted by label; one step on 32 samples a round. Here 300 rounds instead of 600, a smaller network without dropout,
and one seed instead of three. What the paper does not say and the authors' program does: momentum is a sum and not a mean
(m ← β m + g), which is the same as a mean at 1 / (1 - β) times the learning rate; centered clipping takes three steps within
10 / (1 - β) for such sums, which is that times the plain learning rate for updates; and attackers that flip bits or labels send their
newest gradient without momentum, a tenth as long as what honest nodes send. Here these attackers have samples of their own, even ones;
there the same as others. `bit flip of the momentum` is the stronger attack with it, which is not in the paper.

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
from coterie.attacks import update_attack
from coterie.core.bounds import Count, Finite, Probability
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged

NAME, KEYS = "robustness_bucketing", ("rule", "bucketing", "momentum", "attack", "seed")
ROUNDS, RATE, BATCH, BAD, BETA = 300, 0.01, 32, 5, 0.9
ATTACKS: dict[str, list[dict[str, Any]]] = {
    "ALIE": [{"name": "alie", "knowledge": "honest"}],
    "bit flip": [{"name": "newest", "factor": -1.0}],
    "IPM": [{"name": "inner_product", "epsilon": 0.1, "knowledge": "honest"}],
    "label flip": [{"name": "label_flip", "mode": "mirrored"}, {"name": "newest"}],
    "mimic": [{"name": "mimic", "knowledge": "honest"}],
}
STRONGER = "bit flip of the momentum"
OURS: dict[str, list[dict[str, Any]]] = {STRONGER: [{"name": "sign_flip"}]}
RULES: dict[str, dict[str, Any]] = {
    "CClip": {"name": "centered_clipping", "iterations": 3},
    "CM": {"name": "median"},
    "Krum": {"name": "krum", "byzantine": BAD},
    "RFA": {"name": "geometric_median"},
    "RFA8": {"name": "smoothed_geometric_median", "iterations": 8, "smoothing": 0.1 * RATE, "start": "zero"},
}
"""RFA is to convergence here; RFA8 is what the authors' program does, eight steps from zero."""
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
PAPER_OF_EIGHT = {("RFA8", 0, 0.9): PAPER["RFA", 0, 0.9]}
"""Accuracy in %, in the order of ATTACKS; bucketing without momentum is not in the paper's experiment 3."""
EIGHT_STEPS = [("RFA8", 0, 0.9, "IPM"), ("RFA8", 0, 0.9, "ALIE")]
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


@update_attack(sees={"own"})
def newest(
    honest: np.ndarray,  # noqa: ARG001
    count: int,  # noqa: ARG001
    *,
    beta: Probability = 0.0,
    factor: Finite = 1.0,
    own: np.ndarray,
    history: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """`factor` times the attackers' own updates of this round, without those of earlier rounds that their momentum `beta` holds."""
    before = 0.0 if history is None or len(history) != own.size else beta * history.reshape(own.shape)
    return factor * (own - before), own.ravel()


def scenario(mnist: str, cell: tuple[str, int, float, str], seed: int) -> coterie.Scenario:
    """One cell."""
    rule, size, beta, attack = cell
    chosen = dict(RULES[rule])
    if rule == "CClip":
        chosen["radius"] = 10 * RATE / (1 - beta)
    if size:
        chosen = {"name": "bucketing", "size": size, "then": chosen}
    attacks = [{**each, "beta": beta} if each["name"] == "newest" else each for each in {**ATTACKS, **OURS}[attack]]
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
        attacks=[{**each, "who": ["21-25"]} for each in attacks],
        evaluation={"every": 30},
        executor="inline",
        plugins=[str(Path(__file__).resolve())],
    )


def run_cell(mnist: str, cell: tuple[str, int, float, str], seed: int) -> dict[str, Any]:
    """The accuracy over the last 60 rounds, and of the last."""
    with tempfile.TemporaryDirectory() as folder:
        series = coterie.run(scenario(mnist, cell, seed), out=Path(folder) / "run").folder.metrics.series("accuracy")
    return {"accuracy": float(series.value[series.round >= ROUNDS - 60].mean()), "final": float(series.value[-1])}


def show() -> None:
    """The table: ours, and the paper's in brackets."""
    rows = cells_of.known(NAME, KEYS)
    print(f"{len(rows)} cells; accuracy in % over the last 60 of {ROUNDS} rounds (the paper's, of 600, in brackets)")
    print(f"{'rule':6} {'s':>2} {'beta':>4}  " + "  ".join(f"{attack:>16}" for attack in (*ATTACKS, *OURS)))
    for rule, size, beta in itertools.product(RULES, (0, 2), (0.0, 0.9)):
        told = []
        papers = {**PAPER, **PAPER_OF_EIGHT}.get((rule, size, beta), ())
        if not papers and not any(key[:3] == (rule, size, beta) for key in rows):
            continue
        for attack, paper in itertools.zip_longest((*ATTACKS, *OURS), papers):
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
    cells = [(*key, attack, 0) for key in sorted(PAPER, key=lambda key: (-key[2], key[1])) for attack in ATTACKS]
    cells[40:40] = [(*cell, 0) for cell in EIGHT_STEPS]
    cells += [(*cell, seed) for seed in range(1, arguments.seeds) for cell in NAMED]
    cells += [(*key, STRONGER, 0) for key in PAPER if key[0] in {"CClip", "RFA"} and key[2]]
    cells += [(rule, 2, 0.0, attack, 0) for rule in RULES if rule != "RFA8" for attack in ATTACKS]
    if not arguments.table:
        cells_of.fill(NAME, KEYS, cells, lambda *cell: run_cell(arguments.mnist, cell[:4], cell[4]), most=arguments.cells)
    show()


if __name__ == "__main__":
    main()
