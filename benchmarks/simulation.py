"""Federations with faults of all kinds, drawn from seeds and simulated with checks beside: any number of them.

    python benchmarks/simulation.py 20000                  the seeds from 0 on that were not run before
    python benchmarks/simulation.py 5000 --from 100000 --jobs 2
    python benchmarks/simulation.py --seed 1253            one seed: its trace, and the smallest world that fails in the same way
    python benchmarks/simulation.py --world '{"seed": …}'  the same of a world as it was printed

What is drawn, and what must hold, is in tests/worlds.py. Every failure is printed with its seed and the shortest reproduction that is
found by leaving out faults, nodes, rounds and links. Models are five numbers: no training, about a hundred seeds a second.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import worlds
from shrinking import shrunk

RESULTS = Path(__file__).parent / "results" / "simulation.json"
A_BLOCK = 100
"""Seeds that are run at a time; the results are written after each."""


def block(first: int, *, membership: bool = True) -> dict[str, Any]:
    """What came of the seeds from `first` on. membership: also of worlds in which nodes look after one another."""
    began, met = time.process_time(), Counter[str]()
    failures = []
    for seed in range(first, first + A_BLOCK):
        world = worlds.drawn(seed)
        if world.membership is not None and not membership:
            continue
        problem = worlds.failure(world)
        met["membership"] += world.membership is not None
        met.update(one["name"] for one in world.faults)
        met["seeds"] += 1
        met[f"schedule: {kind(world)}"] += 1
        met[f"roles: {world.roles if isinstance(world.roles, str) else 'explicit'}"] += 1
        if problem:
            failures.append({"seed": seed, "problem": problem, "world": shrunk(world, 20).text()})
    return {"first": first, "seconds": time.process_time() - began, "drawn": dict(met), "failures": failures}


def kind(world: worlds.World) -> str:
    """The scheme of its schedule."""
    if world.schedule.get("asynchronous"):
        return "asynchronous"
    return "semi-synchronous" if "quorum" in world.schedule else "synchronous"


def blocks(wanted: list[int], jobs: int, *, membership: bool) -> Iterator[dict[str, Any]]:
    """All that are wanted, as they are done."""
    run = partial(block, membership=membership)
    if jobs == 1:
        yield from map(run, wanted)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(run, wanted)


def show(world: worlds.World) -> int:
    """What goes wrong in a world, the trace of the smallest one in which it does too; 1 if anything does."""
    problem = worlds.failure(world)
    if not problem:
        print("nothing is wrong")
        return 0
    print(problem)
    small = shrunk(world)
    federation = worlds.federation_of(small)
    assert federation is not None
    simulator = worlds.simulator_of(small, federation)
    simulator.trace = lambda seconds, what: print(f"{seconds:.3f} {what}")
    simulator.start()
    try:
        simulator.run(until=lambda: simulator.events >= worlds.EVENTS)
    except Exception as error:  # noqa: BLE001 - it is told below
        print(type(error).__name__)
    print(small.text())
    print(worlds.failure(small))
    return 1


def commit() -> str:
    """What was run."""
    found = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    return found.stdout.strip()


def main() -> int:
    """The command; 1 if anything failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seeds", nargs="?", type=int, default=20_000)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--without-membership", action="store_true", help="only worlds in which nobody gives up on anybody")
    parser.add_argument("--anew", action="store_true", help="also those that were run before")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--world")
    asked = parser.parse_args()
    if asked.seed is not None or asked.world:
        return show(worlds.drawn(asked.seed) if asked.world is None else worlds.World(**json.loads(asked.world)))
    known = {} if asked.anew or not RESULTS.exists() else {row["first"]: row for row in json.loads(RESULTS.read_text())}
    last = asked.first + asked.seeds
    wanted = [first for first in range(asked.first, last, A_BLOCK) if first not in known]
    for row in blocks(wanted, asked.jobs, membership=not asked.without_membership):
        known[row["first"]] = {**row, "commit": commit()}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.with_suffix(".partial").write_text(json.dumps([known[first] for first in sorted(known)], indent=1) + "\n")
        RESULTS.with_suffix(".partial").replace(RESULTS)
        for one in row["failures"]:
            print(f"seed {one['seed']}: {one['problem']}\n  {one['world']}", flush=True)
    rows = [row for first, row in known.items() if asked.first <= first < last]
    totals: Counter[str] = Counter()
    for row in rows:
        totals.update(row["drawn"])
    failures = sum(len(row["failures"]) for row in rows)
    print(f"{totals.pop('seeds', 0):,} seeds, {failures} failures, {sum(row['seconds'] for row in rows):,.0f} s of processor time")
    print(", ".join(f"{name} {count:,}" for name, count in sorted(totals.items())))
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
