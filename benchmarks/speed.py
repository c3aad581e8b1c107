"""Seconds a round: Coterie beside the loop a user would write, and beside centralized training on the same samples.

    python benchmarks/speed.py            all workloads, five repeats, contenders in turn
    python benchmarks/speed.py a --repeats 3

Every measurement is a process of its own. A round is (time of many rounds - time of one round) / their difference, without
start-up, data and evaluation. One thread a process; Coterie's engines (exact, fast) are measured in one process (inline) and in
a pool of two (processes). All contenders use the same data, model, batch size, rounds and clients a round, and report the loss
they reach.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORKLOADS: dict[str, dict[str, Any]] = {
    "a": {"nodes": 1000, "samples": 60, "features": (1, 28, 28), "model": "mlp", "batch": 20, "asked": 100, "rounds": 40},
    "b": {"nodes": 1000, "samples": 50, "features": (3, 32, 32), "model": "cnn", "batch": 10, "asked": 50, "rounds": 4},
    "c": {"nodes": 10, "samples": 5000, "features": (1, 28, 28), "model": "cnn", "batch": 64, "asked": 10, "rounds": 2, "share": 5},
    "e": {"nodes": 100, "samples": 60, "features": (1, 28, 28), "model": "mlp", "batch": 20, "asked": 100, "rounds": 20, "neighbours": 6},
    "e1000": {
        "nodes": 1000,
        "samples": 60,
        "features": (1, 28, 28),
        "model": "mlp",
        "batch": 20,
        "asked": 1000,
        "rounds": 5,
        "neighbours": 6,
    },
}
"""(c) trains a fifth of its samples a round (`share`), so that a measurement stays under a minute; ratios are unchanged. (e) is
decentralized: a random graph of so many neighbours a node, in which all train and mix every round; it is compared with its own
training alone, whose seconds the summary tells."""
RATE = 0.05
TESTED = 2
"""Samples that a node keeps apart, so that it trains on exactly as many as the workload says."""
CONTENDERS = ("plain loop", "centralized", "exact inline", "exact processes", "fast inline", "fast processes")


def scenario(load: dict[str, Any], rounds: int, engine: str = "exact", executor: str = "inline") -> dict[str, Any]:
    """The workload as Coterie's user writes it."""
    mlp = {"name": "mlp", "hidden": [64]}
    cnn = {"name": "cnn", "channels": [32, 64], "kernel": 3, "hidden": [128]}
    graph = {"architecture": "decentralized", "topology": {"name": "regular", "degree": load.get("neighbours")}}
    return {
        **(graph if "neighbours" in load else {"participation": load["asked"]}),
        "name": "speed",
        "nodes": load["nodes"],
        "until": rounds,
        "task": {
            "dataset": {
                "name": "synthetic",
                "samples": load["samples"] // load.get("share", 1) + TESTED,
                "features": list(load["features"]),
                "alpha": 0.0,
                "beta": 0.0,
            },
            "model": mlp if load["model"] == "mlp" else cnn,
            "test_fraction": TESTED / (load["samples"] // load.get("share", 1) + TESTED),
            "common_test_fraction": 1e-9,
        },
        "partition": {"name": "natural"},
        "training": {"optimizer": {"name": "sgd", "learning_rate": RATE}, "batch_size": load["batch"], "epochs": 1},
        "evaluation": {"every": 1000},
        "engine": engine,
        "executor": {"name": executor, **({"workers": 2} if executor == "processes" else {})},
    }


def coterie_seconds(load: dict[str, Any], engine: str, executor: str) -> dict[str, float]:
    """Seconds a round through `coterie.run`."""
    import coterie

    times, jobs, summary = {}, {}, None
    for rounds in (1, 1 + load["rounds"]):
        with tempfile.TemporaryDirectory() as folder:
            run = coterie.run(coterie.Scenario(**scenario(load, rounds, engine, executor)), out=Path(folder) / "run", quiet=True)
            summary = run.summary
            times[rounds], jobs[rounds] = summary.wall_seconds, summary.job_seconds
    first, last = sorted(times)
    parts = {part: (jobs[last][part] - jobs[first][part]) / (last - first) for part in ("training", "aggregation")}
    return {"seconds": (times[last] - times[first]) / (last - first), "loss": summary.loss_own.mean, **parts}


def torch_model(load: dict[str, Any]) -> Any:
    """The same network in plain PyTorch."""
    from torch import nn

    channels, height, _ = load["features"]
    if load["model"] == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * height * height, 64), nn.ReLU(), nn.Linear(64, 10))
    return nn.Sequential(
        nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(64 * (height // 4) ** 2, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def torch_data(load: dict[str, Any]) -> Any:
    """The same samples, as Coterie makes them: a list of (inputs, targets) a node, and all nodes' test samples."""
    import torch

    from coterie.tasks.task import build

    settings = scenario(load, 1)["task"]
    fractions = {name: settings[name] for name in ("test_fraction", "common_test_fraction")}
    task = build(dataset=settings["dataset"], partition="natural", nodes=load["nodes"], **fractions)
    inputs, targets = torch.from_numpy(task.inputs), torch.from_numpy(task.targets)
    shards = [(inputs[task.train[node]], targets[task.train[node]]) for node in range(task.nodes)]
    return shards, (inputs[task.test.indices], targets[task.test.indices])


def one_epoch(model: Any, inputs: Any, targets: Any, batch: int) -> None:
    """One pass of SGD."""
    import torch
    from torch.nn import functional

    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    order = torch.randperm(len(targets))
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs[rows]), targets[rows]).backward()
        optimizer.step()


def plain_seconds(load: dict[str, Any]) -> dict[str, float]:
    """FedAvg as one writes it in an afternoon: a state dictionary for each client."""
    import torch

    shards, test = torch_data(load)
    model = torch_model(load)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    times = []
    for _ in range(1 + load["rounds"]):
        began = time.perf_counter()
        total, count = None, 0
        for client in torch.randperm(load["nodes"])[: load["asked"]].tolist():
            model.load_state_dict(state)
            one_epoch(model, *shards[client], load["batch"])
            weight = len(shards[client][1])
            local = {name: value * weight for name, value in model.state_dict().items()}
            total = local if total is None else {name: total[name] + local[name] for name in total}
            count += weight
        state = {name: value / count for name, value in total.items()}
        times.append(time.perf_counter() - began)
    model.load_state_dict(state)
    return {"seconds": statistics.median(times[1:]), "loss": loss_of(model, test)}


def centralized_seconds(load: dict[str, Any]) -> dict[str, float]:
    """The same samples and batch size, in one place, one model."""
    import torch

    shards, test = torch_data(load)
    model, times = torch_model(load), []
    for _ in range(1 + load["rounds"]):
        chosen = torch.randperm(load["nodes"])[: load["asked"]].tolist()
        inputs = torch.cat([shards[client][0] for client in chosen])
        targets = torch.cat([shards[client][1] for client in chosen])
        began = time.perf_counter()
        one_epoch(model, inputs, targets, load["batch"])
        times.append(time.perf_counter() - began)
    return {"seconds": statistics.median(times[1:]), "loss": loss_of(model, test)}


def loss_of(model: Any, test: Any) -> float:
    """The loss on the test samples."""
    import torch
    from torch.nn import functional

    with torch.no_grad():
        return float(functional.cross_entropy(model(test[0]), test[1]))


def one(contender: str, load: dict[str, Any]) -> None:
    """Measure one contender in this process and print the figures as JSON."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    baselines = {"plain loop": plain_seconds, "centralized": centralized_seconds}
    found = baselines[contender](load) if contender in baselines else coterie_seconds(load, *contender.split())
    own, children = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({**found, "peak_megabytes": max(own, children) / 1024}))


def table(load: dict[str, Any], measured: dict[str, list[dict[str, float]]]) -> None:
    """Print the figures of a workload: medians of the repeats, with the least and the most seconds."""
    alone = "neighbours" in load
    print(f"{'':20} {'s a round':>10} {'min':>8} {'max':>8} {'x train' if alone else 'x plain':>8} {'loss':>7} {'MB':>6}")
    for contender, rows in measured.items():
        seconds = sorted(row["seconds"] for row in rows)
        middle = statistics.median(seconds)
        loss, memory = statistics.median(row["loss"] for row in rows), max(row["peak_megabytes"] for row in rows)
        if alone:
            times = statistics.median(row["seconds"] / row["training"] for row in rows)
        else:
            times = statistics.median(row["seconds"] for row in measured["plain loop"]) / middle
        print(f"{contender:20} {middle:10.3f} {seconds[0]:8.3f} {seconds[-1]:8.3f} {times:8.2f} {loss:7.3f} {memory:6.0f}")


def main() -> None:
    """Measure, contenders in turn, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=[], help=f"{', '.join(WORKLOADS)} (all of them by default)")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = arguments.workloads or sorted(WORKLOADS)
    if arguments.one:
        one(arguments.one, WORKLOADS[names[0]])
        return
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    for name in names:
        load = WORKLOADS[name]
        some = [contender for contender in CONTENDERS if "neighbours" not in load or contender.startswith("fast")]
        measured: dict[str, list[dict[str, float]]] = {contender: [] for contender in some}
        for _ in range(arguments.repeats):
            for contender in some:
                command = [sys.executable, __file__, name, "--one", contender]
                out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
                measured[contender].append(json.loads(out.splitlines()[-1]))
        print(f"\nworkload ({name}): {load}")
        table(load, measured)


if __name__ == "__main__":
    main()
