"""Seconds a round: Coterie beside Flower, pfl-research, BlazeFL, FedJAX, a plain PyTorch loop and centralized training.

    python benchmarks/peers/compare.py --install                 make an environment for each system (once, some minutes)
    python benchmarks/peers/compare.py                           all workloads, five repeats, contenders in turn
    python benchmarks/peers/compare.py a d --only coterie plain --repeats 3

All train the same samples (made once, as files), the same model, batch size, learning rate and number of clients a round, one
thread a process, and say which loss and accuracy they reach on the same test set. Every measurement is a process of its own; the
figure is the median second a round after a warm-up round, for Coterie the mean beyond the first (its rounds overlap). Start-up is
all but the rounds after the first: imports, data, the first round, the end. Memory is the peak of the private memory of all the
processes that a contender starts. Results are kept in benchmarks/results/peers.jsonl.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE.parent / "results"
sys.path.insert(0, str(HERE))

from workloads import WORKLOADS, make  # noqa: E402

REQUIREMENTS = {
    "flower": [["torch==2.13.0"], ["flwr==1.41.0", "ray==2.55.1"]],
    "pfl": [["torch==2.13.0"], ["pfl==0.6.0"]],
    "blazefl": [["torch==2.13.0"], ["tqdm", "numpy", "--ignore-requires-python", "blazefl==2.0.3"]],
    "fedjax": [["jax==0.4.30", "jaxlib==0.4.30", "dm-haiku==0.0.12", "numpy<2", "fedjax==0.0.17"]],
}
"""What each system's environment is made of, step by step: torch first, so that nothing else chooses it."""
CONTENDERS = {
    "plain loop": ("", "run_torch.py", "plain"),
    "centralized": ("", "run_torch.py", "centralized"),
    "coterie exact inline": ("", "run_coterie.py", "exact inline"),
    "coterie exact processes": ("", "run_coterie.py", "exact processes"),
    "coterie fast inline": ("", "run_coterie.py", "fast inline"),
    "coterie fast processes": ("", "run_coterie.py", "fast processes"),
    "fedjax": ("fedjax", "run_fedjax.py", ""),
    "pfl-research": ("pfl", "run_pfl.py", ""),
    "blazefl serial": ("blazefl", "run_blazefl.py", "serial"),
    "blazefl processes": ("blazefl", "run_blazefl.py", "processes"),
    "flower": ("flower", "run_flower.py", ""),
}
SKIPPED = {("flower", "d"), ("flower", "d10"), ("blazefl processes", "d"), ("blazefl processes", "d10")}
"""100,000 nodes: Flower's simulator registers each before the first round, BlazeFL's pool takes more than a minute a round."""
LIMIT_SECONDS = 900


def install(environments: Path) -> None:
    """An environment for each system."""
    for name, steps in REQUIREMENTS.items():
        subprocess.run([sys.executable, "-m", "venv", environments / name], check=True)
        for packages in steps:
            subprocess.run([environments / name / "bin" / "pip", "install", "--quiet", *packages], check=True)


class Memory(threading.Thread):
    """Samples the private memory of every process that carries a mark in its environment."""

    def __init__(self, mark: str) -> None:
        super().__init__(daemon=True)
        self.mark, self.peak_bytes, self.over = mark.encode(), 0, threading.Event()

    def run(self) -> None:
        """Until told to stop."""
        while not self.over.wait(0.5):
            self.peak_bytes = max(self.peak_bytes, sum(map(private_bytes, marked(self.mark))))


def marked(mark: bytes) -> list[Path]:
    """The processes with `mark` in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(process)
        except OSError:
            continue
    return found


def private_bytes(process: Path) -> int:
    """Its part of anonymous and shared memory: what no file on the disk backs."""
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return 0
    held = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    return 1024 * (held.get("Pss_Anon", 0) + held.get("Pss_Shmem", 0))


def measure(contender: str, workload: str, environments: Path, data: Path) -> dict[str, Any]:
    """One contender once, as a process of its own."""
    where, script, mode = CONTENDERS[contender]
    python = environments / where / "bin" / "python" if where else Path(sys.executable)
    mark = uuid.uuid4().hex
    quiet = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "FLWR_TELEMETRY_ENABLED": "0"}
    quiet["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    memory = Memory(mark)
    memory.start()
    began = time.perf_counter()
    done = subprocess.run(
        [python, HERE / script, workload, str(data), mode],
        env={**os.environ, **quiet, "COTERIE_PEERS_MARK": mark},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    whole = time.perf_counter() - began
    memory.over.set()
    memory.join()
    lines = [line[line.index('{"seconds"') :] for line in done.stdout.splitlines() if '{"seconds"' in line]
    if not lines:
        raise RuntimeError(f"{contender} on ({workload}) ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found = json.loads(lines[-1])
    found.setdefault("start_seconds", whole - found["seconds"] * (found["rounds"] - 1))
    return {**found, "whole_seconds": whole, "tree_megabytes": memory.peak_bytes / 2**20, "contender": contender, "workload": workload}


def table(workload: str, rows: list[dict[str, Any]]) -> None:
    """One workload's table in Markdown."""
    measured: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["workload"] == workload:
            measured.setdefault(row["contender"], []).append(row)
    base = measured.get("plain loop")
    plain = statistics.median(row["seconds"] for row in base) if base else float("nan")
    print(f"\n({workload}) {WORKLOADS[workload]}\n")
    print("| | s a round | min | max | times the plain loop | loss | accuracy | start-up s | MiB of the tree |")
    print("|---|---|---|---|---|---|---|---|---|")
    for contender, found in measured.items():
        seconds = sorted(row["seconds"] for row in found)
        middle = {key: statistics.median(row[key] for row in found) for key in ("seconds", "loss", "accuracy", "start_seconds")}
        print(
            f"| {contender} | {middle['seconds']:.4f} | {seconds[0]:.4f} | {seconds[-1]:.4f} | {plain / middle['seconds']:.2f} "
            f"| {middle['loss']:.3f} | {100 * middle['accuracy']:.1f} % | {middle['start_seconds']:.1f} "
            f"| {max(row['tree_megabytes'] for row in found):.0f} |"
        )


def main() -> None:
    """Install, or measure in turn and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", default=[], help=f"{', '.join(WORKLOADS)} (all of them by default)")
    parser.add_argument("--only", nargs="*", help="parts of contenders' names")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--environments", type=Path, default=HERE / "environments")
    parser.add_argument("--data", type=Path, default=RESULTS / "data")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--table", action="store_true", help="only print the tables of what was measured before")
    chosen = parser.parse_args()
    kept = RESULTS / "peers.jsonl"
    if chosen.install:
        install(chosen.environments)
        return
    names = chosen.workloads or list(WORKLOADS)
    if not chosen.table:
        kept.parent.mkdir(exist_ok=True)
        for name in names:
            make(name, chosen.data)
            for turn in range(chosen.repeats):
                for contender in CONTENDERS:
                    wanted = not chosen.only or any(part in contender for part in chosen.only)
                    if not wanted or (contender, name) in SKIPPED:
                        continue
                    try:
                        row = measure(contender, name, chosen.environments, chosen.data)
                    except (RuntimeError, subprocess.TimeoutExpired) as problem:
                        print(f"({name}) {turn} {contender} failed: {problem}", file=sys.stderr)
                        continue
                    with kept.open("a") as file:
                        file.write(json.dumps({**row, "turn": turn}) + "\n")
                    print(f"({name}) {turn} {contender}: {row['seconds']:.4f} s a round", file=sys.stderr)
    rows = [json.loads(line) for line in kept.read_text().splitlines()]
    for name in names:
        table(name, rows)


if __name__ == "__main__":
    main()
