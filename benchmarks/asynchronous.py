"""How much sooner schedules that do not wait reach what a synchronous federation of uneven devices ends with.

    python benchmarks/asynchronous.py                          digits: every cell that is missing, then the table
    COTERIE_DATA=FOLDER python benchmarks/asynchronous.py mnist    the same on FOLDER/mnist.npz

Devices' speeds are spread log-normally (sigma 1). For each seed a synchronous run of a fixed number of rounds says what is to be reached
and how long it took; the others get a quarter
of that virtual time (decentralized: half, on MNIST 0.3). The accuracy of a federation at a time is the mean over nodes of the
last one that each measured on the common test set. Cells are run folders under benchmarks/results/asynchronous and are not run again;
one that was stopped goes on from its checkpoint.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

import coterie
from coterie.reporting.run_folder import RunFolder

FOLDER = Path(__file__).parent / "results" / "asynchronous"
ROUNDS = {"digits": 20, "mnist": 20}
ANY, SHARE = (
    {"rounds": 100_000},
    {"digits": {"centralized": 0.25, "decentralized": 0.5}, "mnist": {"centralized": 0.25, "decentralized": 0.3}},
)
"""Cells that do not wait are stopped after this share of the synchronous run's time, whether they are there or not."""
CENTRALIZED = {
    "synchronous": {"schedule": "synchronous"},
    "semi-synchronous": {"schedule": {"name": "semi-synchronous", "quorum": 0.5}, "evaluation": 2},
    "FedBuff, 4 of 16": {"schedule": {"name": "asynchronous", "buffer": 4}, "evaluation": 4},
    "FedAsync": {"schedule": {"name": "asynchronous", "mixing": 0.6}, "evaluation": 16},
}
DECENTRALIZED = {
    "synchronous": {"schedule": "synchronous"},
    "asynchronous": {"schedule": "asynchronous", "evaluation": 4},
    "gossip, push": {"schedule": "asynchronous", "sharing": {"name": "gossip", "direction": "push", "neighbours": 2}, "evaluation": 4},
    "pairwise": {"schedule": "asynchronous", "sharing": "pairwise", "evaluation": 4},
}
TABLES = {
    "centralized": ({"architecture": "centralized"}, CENTRALIZED),
    "decentralized": (
        {"architecture": "decentralized", "topology": {"name": "small-world", "neighbours": 4, "rewiring": 0.2}},
        DECENTRALIZED,
    ),
}


def scenario(data: str, seed: int, **settings: object) -> coterie.Scenario:
    """One cell; a round of training takes a median device about a second."""
    dataset: object = data if data == "digits" else {"name": "mnist", "path": str(Path(os.environ["COTERIE_DATA"]) / "mnist.npz")}
    task = {"dataset": dataset, "model": {"name": "mlp", "hidden": [64]}}
    device = {"name": "processor", "flops_per_second": 2e6 if data == "digits" else 1.2e9, "spread": 1.0}
    training = {"batch_size": 16, "optimizer": {"name": "sgd", "learning_rate": 0.1}}
    partition = {"name": "dirichlet", "alpha": 0.5}
    base = {"nodes": 16, "seed": seed, "task": task, "device": device, "training": training, "partition": partition}
    return coterie.Scenario(**{**base, **settings})


def cell(path: Path, wanted: coterie.Scenario) -> RunFolder:
    """The finished run in `path`, run or resumed now if need be."""
    if (path / "scenario.yaml").exists():
        return coterie.resume(path).folder
    path.parent.mkdir(parents=True, exist_ok=True)
    return coterie.run(wanted, out=path).folder


def course(folder: RunFolder) -> tuple[np.ndarray, np.ndarray]:
    """(times (m,), the federation's accuracy from then on (m,))."""
    series = folder.metrics.series("accuracy")
    order = np.lexsort((series.node, series.seconds))
    last: dict[int, float] = {}
    makers = len(set(series.node.tolist()))
    times, means = [], []
    for place in order.tolist():
        last[int(series.node[place])] = float(series.value[place])
        if len(last) == makers:
            times.append(float(series.seconds[place]))
            means.append(sum(last.values()) / makers)
    return np.array(times), np.array(means)


def table(data: str, architecture: str, seeds: int, only: list[str]) -> list[dict[str, object]]:
    """One row for each schedule (of `only` some and the synchronous one): mean and spread over seeds."""
    shape, schedules = TABLES[architecture]
    schedules = {name: settings for name, settings in schedules.items() if not only or name in (*only, "synchronous")}
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in schedules}
    for seed in range(seeds):
        goal = span = 0.0
        for name, settings in schedules.items():
            path = FOLDER / data / architecture / f"{name.replace(',', '').replace(' ', '-')}-{seed}"
            until = {"rounds": ROUNDS[data]} if name == "synchronous" else {**ANY, "virtual_seconds": SHARE[data][architecture] * span}
            folder = cell(path, scenario(data, seed, until=until, **shape, **settings))
            times, accuracy = course(folder)
            if name == "synchronous":
                goal, span = float(accuracy[-1]), float(times[-1])
            reached = times[accuracy >= goal]
            found[name].append((float(accuracy[-1]), float(reached[0]) / span if len(reached) else np.nan, span))
    rows = []
    for name, cells in found.items():
        final, share, _ = np.array(cells).T
        kept = share[np.isfinite(share)]
        rows.append({
            "schedule": name, "seeds": seeds, "reached": len(kept),
            "accuracy": round(float(final.mean()), 4), "accuracy_std": round(float(final.std()), 4),
            "time_share": round(float(np.median(kept)), 3) if len(kept) else None,
            "time_share_range": [round(float(kept.min()), 3), round(float(kept.max()), 3)] if len(kept) else None,
        })  # fmt: skip
    return rows


def main() -> None:
    """Run what is missing, write the tables as JSON and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", choices=sorted(ROUNDS), default="digits")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", action="append", default=[], metavar="SCHEDULE", help="these beside the synchronous one; repeatable")
    parser.add_argument("--architecture", choices=sorted(TABLES), action="append")
    arguments = parser.parse_args()
    for architecture in arguments.architecture or TABLES:
        rows = table(arguments.data, architecture, arguments.seeds, arguments.only)
        (FOLDER / f"{arguments.data}-{architecture}.json").write_text(json.dumps(rows, indent=1) + "\n")
        print(f"\n{arguments.data}, {architecture}: time to the synchronous run's last accuracy, as a share of its time")
        print(f"{'schedule':20} {'reached':>8} {'median':>7} {'range':>14} {'accuracy at the end':>20}")
        for row in rows:
            shares = row["time_share_range"]
            spread = "-" if shares is None else f"{shares[0]:.2f} to {shares[1]:.2f}"  # type: ignore[index]
            share = "-" if row["time_share"] is None else f"{row['time_share']:.2f}"
            print(
                f"{row['schedule']:20} {row['reached']:>4} of {row['seeds']} {share:>7} {spread:>14} "
                f"{row['accuracy']:>12.3f} ± {row['accuracy_std']:.3f}"
            )


if __name__ == "__main__":
    main()
