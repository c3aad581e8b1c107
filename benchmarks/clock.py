"""How fast the simulator's clock runs: protocol messages a second without training, and dry runs of very many devices.

    python benchmarks/clock.py                      all cells, three repeats, in turn
    python benchmarks/clock.py messages --repeats 1

Every measurement is a process of its own, on one thread; a cell that is in the results already is left alone. `messages`: 10,000 nodes
with 10 neighbours each send all of them their models, ten rounds, with the trace digest on, and where the cell says so with the
checks that `--checked` switches on. `devices`: 100,000 nodes, 1,000 a round,
100 rounds, as `coterie plan` runs them. Seconds are processor time of the simulation; `whole` adds start-up and dealing out the data.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "clock.json"
TASK = {"dataset": {"name": "synthetic", "samples": 4}, "model": "logistic"}
MESH = {"nodes": 10_000, "task": TASK, "architecture": "decentralized", "topology": {"name": "regular", "degree": 10}, "until": 10}
MESH |= {"device": {"flops_per_second": 1e5, "spread": {"name": "uniform"}}}
CROWD = {"nodes": 100_000, "task": TASK, "preset": "cross-device", "participation": 1000, "until": 100}
LINKS = {"name": "links", "up_bytes_per_second": 1.25e7, "down_bytes_per_second": 1.25e7}
CELLS: dict[str, dict[str, dict[str, Any]]] = {
    "messages": {
        "constant latency": MESH,
        "queues": MESH | {"network": LINKS},
        "queues and jitter on every link": MESH | {"network": LINKS | {"jitter_seconds": 0.01}},
        "queues and jitter on every link, checked": MESH | {"network": LINKS | {"jitter_seconds": 0.01}},
        "queues, jitter and loss": MESH | {"network": LINKS | {"jitter_seconds": 0.01, "loss": 0.01}},
    },
    "devices": {
        "always there, constant latency": CROWD,
        "phones on 4G at night, rounds of 5 minutes": CROWD | {"environment": "phones-4g", "schedule": {"deadline_seconds": 300}},
    },
}


def measure(kind: str, cell: str) -> None:
    """One cell, in this process; prints its figures as JSON."""
    from coterie.scenario.scenario import Scenario
    from coterie.scenario.setup import Setup
    from coterie.simulator.checks import Checks
    from coterie.simulator.forecast import dry
    from coterie.simulator.trace import TraceDigest

    setup = Setup(Scenario(**CELLS[kind][cell]))
    simulator, _ = dry(setup)
    if kind == "messages":
        simulator.digest = TraceDigest()
    if cell.endswith("checked"):
        simulator.checks = Checks(setup.federation)
    began = time.process_time()
    simulator.start()
    simulator.run()
    seconds = time.process_time() - began
    figures = {
        "messages": simulator.timeline.messages,
        "events": simulator.events,
        "virtual_seconds": simulator.finished_at,
        "seconds": seconds,
        "messages_per_second": simulator.timeline.messages / seconds,
        "whole_seconds": time.process_time(),
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    print(json.dumps(figures))


def main() -> None:
    """All cells that are asked for and not there yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" or ".join(CELLS) + "; by default both")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.cell:
        measure(wanted.kinds[0], wanted.cell)
        return
    found: dict[str, list[dict[str, float]]] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for repeat in range(wanted.repeats):
        for kind in wanted.kinds or CELLS:
            for cell in CELLS[kind]:
                rows = found.setdefault(f"{kind}: {cell}", [])
                if len(rows) > repeat:
                    continue
                command = [sys.executable, __file__, kind, "--cell", cell]
                done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=True)
                rows.append(json.loads(done.stdout.splitlines()[-1]))
                RESULTS.parent.mkdir(exist_ok=True)
                RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    for name, rows in found.items():
        rates = sorted(row["messages_per_second"] for row in rows)
        whole = statistics.median(row["whole_seconds"] for row in rows)
        memory = max(row["gigabytes"] for row in rows)
        rate = f"{statistics.median(rates):,.0f} messages/s ({rates[0]:,.0f} to {rates[-1]:,.0f})"
        print(f"{name:<60} {rate}, whole {whole:.1f} s, {memory:.2f} GB, {rows[0]['messages']:,.0f} messages")


if __name__ == "__main__":
    main()
