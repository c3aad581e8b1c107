"""Cells of a table, a line of JSON each: what the robustness benchmarks have in common."""

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from coterie.tasks.frame import Frame
from coterie.tasks.preprocessing import stage

os.environ.setdefault("OMP_NUM_THREADS", "1")


@stage("as-usual")
def as_usual(frame: Frame) -> Frame:
    """Pixels less the mean of all of MNIST's, over their standard deviation, as everybody has them."""
    for values in frame.numbers():
        values[...] = (values - 0.1307) / 0.3081
    return frame


RESULTS = Path(__file__).parent / "results"


def known(name: str, keys: Sequence[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """The cells of a table that are there, by what they are."""
    path = RESULTS / f"{name}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {tuple(row[key] for key in keys): row for row in rows}


def fill(
    name: str, keys: Sequence[str], cells: Iterable[tuple[Any, ...]], run: Callable[..., dict[str, Any]], *, most: int = 10**9
) -> None:
    """Runs the cells that are missing, `most` of them, and writes each down as soon as it is there. run: (*cell) → figures."""
    there = known(name, keys)
    missing = [cell for cell in cells if cell not in there]
    for number, cell in enumerate(missing[:most]):
        began, cpu = time.monotonic(), time.process_time()
        row = dict(zip(keys, cell, strict=True)) | run(*cell)
        row |= {"seconds": round(time.monotonic() - began, 1), "cpu_seconds": round(time.process_time() - cpu, 1)}
        RESULTS.mkdir(exist_ok=True)
        with (RESULTS / f"{name}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{number + 1}/{len(missing)}", row, flush=True)
