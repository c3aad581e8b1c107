"""Sentinel's grid: poisoning of 10 to 80 % of a fully connected federation, and seven rules, beside the authors' figures.

    python benchmarks/robustness_sentinel.py mnist=MNIST fashion_mnist=FASHION    all cells that are missing, then the tables
    python benchmarks/robustness_sentinel.py mnist=MNIST --table                  only the tables of what is there

Each is an .npz file (x_train, y_train, x_test, y_test) or a folder of idx files. Feng, Huertas, Baltensperger et al. 2023,
"Sentinel: An Aggregation Function to Secure Decentralized Federated Learning", https://arxiv.org/abs/2310.08097: 10 nodes, all
linked, iid, 10 rounds, all samples of an attacker poisoned; means over honest nodes. What counts is accuracy for untargeted attacks
(the authors tell F1) and the success of the attack for targeted ones. Krum, UBAR and the trimmed mean are told of as many attackers as they
can stand.

Each cell is a line of benchmarks/results/robustness_sentinel.jsonl.
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
from coterie.core.bounds import Probability

NAME, KEYS = "robustness_sentinel", ("data", "attack", "attackers", "rule", "seed")
ROUNDS, NODES = 10, 10
RULES: dict[str, Any] = {
    "FedAvg": "mean",
    "FLTrust": "fltrust",
    "Krum": "krum",
    "TrimmedMean": "trimmed_mean",
    "Sentinel": "sentinel",
    "SentinelGlobal": "mean",  # with trust: votes
    "UBAR": "ubar",  # told of the attackers, as Krum is
    "SCClip": {"name": "self_centered_clipping", "byzantine": 1},
}
ATTACKS: dict[str, dict[str, Any]] = {
    "backdoor": {"name": "backdoor", "pattern": "cross", "size": 10, "target": 0, "share": 1.0},
    "targeted": {"name": "label_flip", "mode": "targeted", "source": 3, "target": 7},
    "untargeted": {"name": "label_flip", "mode": "random"},
    "model": {"name": "salted_weights", "amount": 0.8},
}
TARGETED = frozenset({"backdoor", "targeted"})
PAPER: dict[tuple[str, str], dict[str, tuple[float, float, float]]] = {
    ("mnist", "backdoor"): {
        "FedAvg": (0.087, 0.950, 0.974), "FLTrust": (0.097, 0.944, 0.986), "Krum": (0.005, 0.897, 0.972),
        "TrimmedMean": (0.074, 0.924, 0.984), "Sentinel": (0.011, 0.028, 0.003), "SentinelGlobal": (0.003, 0.007, 0.003),
    },
    ("mnist", "targeted"): {
        "FedAvg": (0.008, 0.207, 0.935), "FLTrust": (0.021, 0.412, 0.976), "Krum": (0.010, 0.004, 0.955),
        "TrimmedMean": (0.009, 0.629, 0.954), "Sentinel": (0.006, 0.004, 0.010), "SentinelGlobal": (0.006, 0.006, 0.015),
    },
    ("mnist", "untargeted"): {
        "FedAvg": (0.954, 0.860, 0.038), "FLTrust": (0.911, 0.516, 0.054), "TrimmedMean": (0.948, 0.772, 0.025),
        "Sentinel": (0.949, 0.955, 0.927), "SentinelGlobal": (0.958, 0.946, 0.954),
    },
    ("mnist", "model"): {"Sentinel": (0.952, 0.949, 0.937), "SentinelGlobal": (0.949, 0.957, 0.949)},
    ("fashion_mnist", "untargeted"): {
        "FedAvg": (0.829, 0.629, 0.016), "FLTrust": (0.779, 0.330, 0.041), "Krum": (0.820, 0.007, 0.009),
        "TrimmedMean": (0.833, 0.404, 0.009), "Sentinel": (0.834, 0.833, 0.826), "SentinelGlobal": (0.834, 0.827, 0.840),
    },
    ("fashion_mnist", "model"): {
        "FedAvg": (0.017, 0.018, 0.017), "FLTrust": (0.759, 0.018, 0.067), "Krum": (0.816, 0.790, 0.028),
        "TrimmedMean": (0.018, 0.018, 0.018), "Sentinel": (0.834, 0.836, 0.830), "SentinelGlobal": (0.838, 0.838, 0.814),
    },
    ("fashion_mnist", "backdoor"): {
        "FedAvg": (0.098, 0.703, 0.766), "Krum": (0.012, 0.848, 0.781), "Sentinel": (0.013, 0.024, 0.118),
        "SentinelGlobal": (0.009, 0.018, 0.017),
    },
}  # fmt: skip
"""At 10, 50 and 80 % attackers."""
ATTACKERS = (1, 5, 8)


@update_attack(sees={"own"})
def salted_weights(honest: np.ndarray, count: int, *, amount: Probability = 0.8, own: np.ndarray, key: np.random.Generator) -> np.ndarray:  # noqa: ARG001
    """The attacker's own model with an `amount` of its numbers moved by 1, as salt."""
    return np.where(key.random(own.shape) < amount, 1.0, own)


def run(paths: dict[str, str], *cell: Any) -> dict[str, Any]:
    """One cell, as KEYS say it."""
    data, attack, attackers, rule, seed = cell
    chosen = RULES[rule]
    if rule in {"Krum", "TrimmedMean", "UBAR"}:
        stands = coterie.aggregation.build(chosen, byzantine=1).stands(NODES)
        chosen = {"name": chosen, "byzantine": min(attackers, stands)}
    scenario = coterie.Scenario(
        name="robustness-sentinel",
        seed=seed,
        nodes=NODES,
        architecture="decentralized",
        until=ROUNDS,
        task={"dataset": {"name": data, "path": paths[data]}, "model": {"name": "mlp", "hidden": [256, 128]}, "test_fraction": 0.1},
        training={"batch_size": 32, "optimizer": {"name": "sgd", "learning_rate": 0.05}},
        aggregation=chosen,
        trust="votes" if rule == "SentinelGlobal" else None,
        attacks=[{**ATTACKS[attack], "who": {"number": attackers}}],
        evaluation={"every": ROUNDS},
        executor="inline",
        plugins=[str(Path(__file__).resolve())],
    )
    with tempfile.TemporaryDirectory() as folder:
        summary = coterie.run(scenario, out=Path(folder) / "run").summary
    success = summary.metrics.get("attack_success")
    return {"accuracy": summary.accuracy.mean, "success": success.mean if success else None}


def show() -> None:
    """The tables: ours, and the authors' in brackets."""
    rows = cells_of.known(NAME, KEYS)
    print(f"{len(rows)} cells")
    for data, attack in itertools.product(("mnist", "fashion_mnist"), ATTACKS):
        figure = "success" if attack in TARGETED else "accuracy"
        print(f"\n{data}, {attack}: {figure} (the authors': {'success' if attack in TARGETED else 'F1'}) at 10, 50, 80 % attackers")
        for rule in RULES:
            told = []
            for count, paper in itertools.zip_longest(ATTACKERS, PAPER.get((data, attack), {}).get(rule, ())):
                found = [row[figure] for key, row in rows.items() if key[:4] == (data, attack, count, rule) and row[figure] is not None]
                told.append(f"{np.mean(found):.3f}" if found else "-")
                told[-1] += f" ({paper:.3f})" if paper is not None else " (-)"
            print(f"{rule:14} " + "  ".join(f"{words:>14}" for words in told))


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+", metavar="NAME=PATH")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cells", type=int, default=10**9, help="run at most so many")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    paths = {name: str(Path(path).resolve()) for name, _, path in (one.partition("=") for one in arguments.data)}
    if not arguments.table:
        cells = itertools.product(paths, ATTACKS, ATTACKERS, RULES, range(arguments.seeds))
        cells_of.fill(NAME, KEYS, cells, lambda *cell: run(paths, *cell), most=arguments.cells)
    show()


if __name__ == "__main__":
    main()
