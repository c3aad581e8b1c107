"""The workloads that all systems train, as plain arrays: imported inside each system's own environment, so NumPy alone."""

import json
import resource
import statistics
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

RATE = 0.05
WORKLOADS: dict[str, dict[str, Any]] = {
    "a": {"nodes": 1000, "samples": 60, "features": (1, 28, 28), "model": "mlp", "batch": 20, "asked": 100, "rounds": 30},
    "b": {"nodes": 1000, "samples": 50, "features": (3, 32, 32), "model": "cnn", "batch": 10, "asked": 50, "rounds": 5},
    "c": {"nodes": 10, "samples": 1000, "features": (1, 28, 28), "model": "cnn", "batch": 64, "asked": 10, "rounds": 5},
    "d": {"nodes": 100_000, "samples": 10, "features": (60,), "model": "logistic", "batch": 2, "asked": 1000, "rounds": 10},
    "d10": {"nodes": 100_000, "samples": 10, "features": (60,), "model": "logistic", "batch": 10, "asked": 1000, "rounds": 10, "data": "d"},
}
"""(d) takes five steps a round, (d10) one. (c) has a fifth of the samples of the silo it stands for; ratios are unchanged."""
TEST = 2000
CLASSES = 10


def place(name: str, folder: Path) -> Path:
    """Where a workload's data lies."""
    return folder / f"workload_{WORKLOADS[name].get('data', name)}"


def make(name: str, folder: Path) -> Path:
    """The workload's data as a folder of .npy files, made once: noisy prototypes of ten classes, alike for all nodes."""
    target = place(name, folder)
    if (target / "done").exists():
        return target
    target.mkdir(parents=True, exist_ok=True)
    load, random = WORKLOADS[name], np.random.default_rng(7)
    count, shape = load["nodes"] * load["samples"], load["features"]
    prototypes = random.standard_normal((CLASSES, *shape), dtype=np.float32) * np.float32(0.5 / np.sqrt(np.prod(shape)) ** 0.5)
    for part, size in (("train", count), ("test", TEST)):
        targets = random.integers(0, CLASSES, size)
        inputs = np.lib.format.open_memmap(target / f"{part}_inputs.npy", "w+", np.float32, (size, *shape))
        for first in range(0, size, 4096):
            rows = slice(first, first + 4096)
            inputs[rows] = prototypes[targets[rows]] + random.standard_normal((len(targets[rows]), *shape), dtype=np.float32)
        inputs.flush()
        np.save(target / f"{part}_targets.npy", targets)
    arrays = {
        part: np.load(target / f"{part}.npy", mmap_mode="r") for part in ("train_inputs", "train_targets", "test_inputs", "test_targets")
    }
    names = ("x_train", "y_train", "x_test", "y_test")
    whose = np.repeat(np.arange(load["nodes"]), load["samples"])
    np.savez(target / "all.npz", node=whose, **dict(zip(names, arrays.values(), strict=True)))
    (target / "done").touch()
    return target


class Workload:
    """One workload read back: `inputs` (nodes x samples, ...), `targets`, the test set, and settings as attributes of `load`."""

    def __init__(self, name: str, folder: str, *, mapped: bool = False) -> None:
        self.name, self.load = name, WORKLOADS[name]
        self.place = place(name, Path(folder))
        self.inputs = np.load(self.place / "train_inputs.npy", mmap_mode="c" if mapped else None)
        self.targets = np.load(self.place / "train_targets.npy")
        self.test_inputs, self.test_targets = np.load(self.place / "test_inputs.npy"), np.load(self.place / "test_targets.npy")

    def shard(self, node: int) -> slice:
        """The rows of a node."""
        return slice(node * self.load["samples"], (node + 1) * self.load["samples"])

    def network(self) -> Any:
        """The model in PyTorch."""
        from torch import nn

        features = self.load["features"]
        if self.load["model"] == "logistic":
            return nn.Linear(features[0], CLASSES)
        if self.load["model"] == "mlp":
            return nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(features)), 64), nn.ReLU(), nn.Linear(64, CLASSES))
        channels, height, _ = features
        return nn.Sequential(
            nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64 * (height // 4) ** 2, 128), nn.ReLU(), nn.Linear(128, CLASSES),
        )  # fmt: skip

    def score(self, model: Any) -> tuple[float, float]:
        """Loss and accuracy of a PyTorch model on the test set."""
        import torch

        with torch.no_grad():
            output = model(torch.from_numpy(self.test_inputs))
            targets = torch.from_numpy(self.test_targets)
            loss = torch.nn.functional.cross_entropy(output, targets)
            return float(loss), float((output.argmax(1) == targets).float().mean())


def one_epoch(model: Any, inputs: Any, targets: Any, batch: int) -> None:
    """One pass of SGD as a PyTorch user writes it."""
    import torch

    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    order = torch.randperm(len(targets))
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs[rows]), targets[rows]).backward()
        optimizer.step()


class Laps:
    """The seconds of each round."""

    def __init__(self) -> None:
        self.began = self.last = time.perf_counter()
        self.seconds: list[float] = []

    def start(self) -> None:
        """A round begins now."""
        self.last = time.perf_counter()

    def lap(self) -> None:
        """A round is over, and the next begins."""
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now

    def tell(self, loss: float, accuracy: float, **more: Any) -> None:
        """Print what was measured, and `more`, as one line of JSON; the first round warms up and is left out."""
        peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        steady = self.seconds[1:]
        found = {"seconds": statistics.median(steady), "min": min(steady), "max": max(steady), "rounds": len(self.seconds)}
        print(json.dumps({**found, "loss": loss, "accuracy": accuracy, "peak_megabytes": peak / 1024, **more}))
        sys.stdout.flush()


@cache
def mapped(name: str, folder: str) -> Workload:
    """For systems whose clients live in worker processes: the data mapped from the disk, so that none of it is pickled."""
    return Workload(name, folder, mapped=True)


def arguments() -> tuple[Workload, str]:
    """The workload that the command line names, and the contender's mode."""
    return Workload(sys.argv[1], sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""
