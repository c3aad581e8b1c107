"""A whole federation as real processes: 8 nodes on a ring train the digits MLP for 20 rounds, from start to finished.

python benchmarks/nodes.py                  the run five times: seconds in all, a round beyond training, memory of a node
python benchmarks/nodes.py --peer PYTHON    beside p2pfl, in an environment of its own that has it, taking turns

A round is what the node that ends it last takes; training is what its jobs take in the same round. Memory is a node's resident set
and, of it, what no other process shares; nodes are forked from one that has torch and the data, so most of it is shared. Beside it, a
node that was started on its own and waits for its peer, with the process that runs its jobs and when that has ended for want of any.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import coterie
from coterie.core.jobs import Handle
from coterie.runtime import enrolment, home
from coterie.runtime.authority import Authority
from coterie.runtime.enrolment import Service
from coterie.runtime.local import LocalFederation, LocalProcesses
from coterie.runtime.node_file import NodeFile
from coterie.runtime.site import Site
from coterie.runtime.start import worker_of
from coterie.scenario.setup import Setup

RESULTS = Path(__file__).parent / "results" / "nodes.json"
NODES, ROUNDS = 8, 20
SCENARIO: dict[str, Any] = {
    "task": {"dataset": "digits", "model": {"name": "mlp", "hidden": [64]}},
    "nodes": NODES,
    "seed": 7,
    "until": ROUNDS,
    "architecture": "decentralized",
    "topology": "ring",
    "engine": "exact",
    "training": {"batch_size": 16, "optimizer": {"name": "sgd", "learning_rate": 0.1}},
}


class Timed:
    """An executor that notes how long each node's jobs of a round took, and hands it to the file of its process at the end."""

    def __init__(self, inner: Any, folder: Path) -> None:
        self._inner, self._folder = inner, folder
        self._seconds: defaultdict[int, float] = defaultdict(float)

    def run(self, jobs: Any) -> None:
        began = time.perf_counter()
        self._inner.run(jobs)
        self._seconds[jobs[0].round] += time.perf_counter() - began

    def close(self) -> None:
        usage, memory = resource.getrusage(resource.RUSAGE_SELF), memory_of("self")
        found = {"jobs": self._seconds, "cpu": usage.ru_utime + usage.ru_stime, **memory}
        (self._folder / f"{os.getpid()}.json").write_text(json.dumps(found))
        self._inner.close()


def memory_of(process: int | str) -> dict[str, float]:
    """Resident, proportional and unshared memory of a process in MB, now."""
    found: defaultdict[str, int] = defaultdict(int)
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()[1:]:
        name, kilobytes = line.split()[:2]
        found[name.rstrip(":")] = int(kilobytes)
    parts = {"rss": ("Rss",), "pss": ("Pss",), "own": ("Private_Clean", "Private_Dirty")}
    return {name: round(sum(found[key] for key in keys) / 1000, 1) for name, keys in parts.items()}


def ours() -> dict[str, Any]:
    """One run: seconds, a median round and what of it is beyond training, CPU seconds, memory of a node."""
    began, cpu = time.perf_counter(), sum(os.times()[:4])
    with tempfile.TemporaryDirectory() as folder:
        measured = Path(folder) / "measured"
        measured.mkdir()
        setup = Setup(coterie.Scenario(**SCENARIO))
        what = LocalFederation.of(setup)
        inner = what.executor
        object.__setattr__(what, "executor", lambda: Timed(inner(), measured))
        ends: defaultdict[int, list[float]] = defaultdict(list)

        def tell(event: Any) -> None:
            if event[0] == "round":
                ends[event[2]].append(event[-1])

        with Stamped(what, NODES, Path(folder) / "nodes") as processes:
            results = processes.results(300, tell)
        seconds = time.perf_counter() - began
        of_nodes = [json.loads(file.read_text()) for file in measured.iterdir()]
    lasts = [max(ends[number]) for number in sorted(ends)]
    rounds = [b - a for a, b in itertools.pairwise(lasts)]
    jobs = [max(node["jobs"].get(str(number), 0.0) for node in of_nodes) for number in range(1, ROUNDS)]
    accuracy = [facts["accuracy_own"] for result in results.values() for _, facts in result.facts[-1:] if "accuracy_own" in facts]
    return {
        "seconds": round(seconds, 2),
        "round, ms": round(1000 * statistics.median(rounds), 1),
        "its jobs, ms": round(1000 * statistics.median(jobs), 1),
        "beyond them, ms": round(1000 * statistics.median(a - b for a, b in zip(rounds[1:], jobs, strict=False)), 1),
        "CPU seconds": round(sum(os.times()[:4]) - cpu, 2),
        "memory of a node, MB": {key: round(statistics.median(node[key] for node in of_nodes)) for key in ("rss", "pss", "own")},
        "accuracy": round(statistics.mean(accuracy), 3) if accuracy else None,
    }


class Stamped(LocalProcesses):
    """Processes whose events of rounds tell when they were."""

    async def _in_place(self, place: int, folder: Path | None, executor: Any, watch: Any) -> Any:
        tell = watch._tell  # noqa: SLF001 - a benchmark
        watch._tell = lambda event: tell((*event, time.perf_counter()) if event[0] == "round" else event)  # noqa: SLF001
        return await super()._in_place(place, folder, executor, watch)


def peer(python: Path, rounds: int, timeout: float) -> dict[str, Any]:
    """The same with p2pfl, in its own environment."""
    script = Path(__file__).parent / "nodes_p2pfl.py"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [str(python), str(script), str(NODES), str(rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
    except subprocess.TimeoutExpired:
        return {"problem": f"not finished after {timeout:g} s"}
    last = done.stdout.strip().splitlines()[-1:] or [""]
    try:
        found: dict[str, Any] = json.loads(last[0])
    except ValueError:
        return {"problem": (done.stderr.strip().splitlines() or ["nothing said"])[-1][:300]}
    return found


def joined(folder: Path) -> Path:
    """The folder of the first of two members of a new federation."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    wanted = coterie.Scenario(**SCENARIO | {"nodes": 2, "topology": "full"})
    authority = Authority.init(folder / "federation", name="clinics", nodes=2, scenario=wanted.yaml(), address=f"127.0.0.1:{port}")

    async def join() -> None:
        service = Service(authority)
        await service.start("127.0.0.1", port)
        token, _ = enrolment.invite(authority, "anna")
        await home.join(token.written(), folder / "anna", None)
        await service.close()

    asyncio.run(join())
    return folder / "anna"


def waiting(idle_seconds: float = 2.0) -> dict[str, Any]:
    """Memory of a node of `coterie node start` whose peer does not come: as long as it keeps its job worker, and then."""
    with tempfile.TemporaryDirectory() as folder:
        anna = joined(Path(folder))
        (anna / "node.yaml").write_text(f"jobs_idle_seconds: {idle_seconds}\n")
        command = [sys.executable, "-c", "from coterie.cli import main; main()", "node", "start", "--folder", str(anna)]
        with subprocess.Popen([*command, "--file", str(anna / "node.yaml")], stderr=subprocess.DEVNULL) as process:
            try:
                while b"waiting for members" not in read(anna / "status.json") and process.poll() is None:
                    time.sleep(0.05)
                busy = family(process.pid)
                while len(family(process.pid)) > 2:
                    time.sleep(0.05)
                time.sleep(0.5)
                found = {"with its worker": busy, "without": family(process.pid)}
            finally:
                process.terminate()
        site = Site.of(home.Home.read(anna), NodeFile.model_validate({"jobs_idle_seconds": 0.3}))
        worker = worker_of(site)
        federation = replace(site.setup.federation, steps=np.ones(2, np.int64))
        state = federation.initially(site.me, Handle(site.setup.initial))
        seconds = []
        for pause in (0.0, 0.0, 1.0, 1.0, 1.0):
            time.sleep(pause)
            began = time.perf_counter()
            worker.run([federation.train(site.me, state, whole=True)])
            seconds.append(round(time.perf_counter() - began, 3))
        worker.close()
        return {**found, "seconds of a step where the worker is there": seconds[1], "and where it must be started": seconds[2:]}


def read(file: Path) -> bytes:
    """What is in it, if it is there."""
    return file.read_bytes() if file.exists() else b""


def family(pid: int) -> list[dict[str, float]]:
    """Memory of a process and of all that come from it: the node's own, the launcher, perhaps the worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [memory_of(pid), *(one for child in children for one in family(int(child)))]


def main() -> None:
    """Both, taking turns."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--repeat", type=int, default=5)
    arguments.add_argument("--peer", type=Path)
    arguments.add_argument("--peer-rounds", type=int, default=3)
    arguments.add_argument("--peer-timeout", type=float, default=420.0)
    wanted = arguments.parse_args()
    found: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}",
        "a node that waits, MB": waiting(),
        "coterie": [],
        "p2pfl": [],
    }
    for number in range(wanted.repeat):
        found["coterie"].append(ours())
        print(json.dumps(found["coterie"][-1]), flush=True)
        if wanted.peer is not None and number < 2:
            found["p2pfl"].append(peer(wanted.peer, wanted.peer_rounds, wanted.peer_timeout))
            print(json.dumps(found["p2pfl"][-1]), flush=True)
    for key in ("seconds", "round, ms", "beyond them, ms", "CPU seconds"):
        found[f"median: {key}"] = statistics.median(one[key] for one in found["coterie"])
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
