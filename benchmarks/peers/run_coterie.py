"""Coterie through `coterie.run`: `engine executor`, for example `fast processes`."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BEGAN = time.perf_counter()
from workloads import RATE, WORKLOADS, Laps, place  # noqa: E402 - the clock starts first

import coterie  # noqa: E402

NAME, FOLDER, MODE = sys.argv[1:4]
load = WORKLOADS[NAME]


def scenario(rounds: int, engine: str, executor: str) -> dict[str, Any]:
    """The workload as a user writes it."""
    models = {
        "logistic": {"name": "logistic"},
        "mlp": {"name": "mlp", "hidden": [64]},
        "cnn": {"name": "cnn", "channels": [32, 64], "kernel": 3, "hidden": [128]},
    }
    return {
        "name": f"workload-{NAME}",
        "nodes": load["nodes"],
        "until": rounds,
        "task": {
            "dataset": {"name": "npz", "path": str(place(NAME, Path(FOLDER).resolve()) / "all.npz"), "node": "node"},
            "model": models[load["model"]],
            "test_fraction": 0.0,
            "preprocess": [],
        },
        "partition": "natural",
        "participation": load["asked"],
        "training": {"optimizer": {"name": "sgd", "learning_rate": RATE}, "batch_size": load["batch"], "epochs": 1},
        "evaluation": {"every": 1000},
        "engine": engine,
        "executor": {"name": executor, **({"workers": 2} if executor == "processes" else {})},
    }


def measured(rounds: int, engine: str, executor: str) -> dict[str, Any]:
    """One run of so many rounds, by itself in this process."""
    with tempfile.TemporaryDirectory() as folder:
        run = coterie.run(coterie.Scenario(**scenario(rounds, engine, executor)), out=Path(folder) / "run", quiet=True)
        found = run.summary
        scores = {"loss": found.loss.mean, "accuracy": found.accuracy.mean}
        return {"seconds": found.wall_seconds, "jobs": found.job_seconds, "whole": time.perf_counter() - BEGAN, **scores}


def main() -> None:
    """A run of many rounds less a run of one, in a process before it: rounds overlap, so that none has a time of its own."""
    engine, executor, *alone = MODE.split()
    if alone:
        print(json.dumps(measured(1, engine, executor)))
        return
    command = [sys.executable, __file__, NAME, FOLDER, f"{MODE} alone"]
    one = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    rounds, laps = load["rounds"], Laps()
    many = measured(1 + rounds, engine, executor)
    steady = (many["seconds"] - one["seconds"]) / rounds
    parts = {name: (seconds - one["jobs"].get(name, 0.0)) / rounds for name, seconds in many["jobs"].items()}
    laps.seconds = [0.0, *[steady] * rounds]
    laps.tell(many["loss"], many["accuracy"], start_seconds=one["whole"] - steady, job_seconds=parts)


if __name__ == "__main__":
    main()
