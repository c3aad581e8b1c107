"""A whole federation as processes of this machine, written into a run folder: a node a process, each with its own identity."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes

import numpy as np

from coterie.core.errors import ScenarioError
from coterie.reporting.facts import Facts
from coterie.reporting.run_folder import SUMMARY, RunFolder
from coterie.reporting.summary import Outcome, Summary, digest
from coterie.runtime.authority import Trial
from coterie.runtime.checkpoints import where_there_is_room
from coterie.runtime.home import SECRET
from coterie.runtime.identity import private_folder, write_private
from coterie.runtime.live import LiveTable
from coterie.runtime.local import LocalFederation, LocalProcesses, NodeResult
from coterie.runtime.record import Record, positions_kept
from coterie.runtime.watching import Event
from coterie.scenario.setup import Setup

PATIENCE_SECONDS, KEEP_SECONDS = 7 * 24 * 3600.0, 0.25
RECORD = "record.msgpack"
MOST_NODES = 256
"""Processes on one machine."""

log = logging.getLogger("coterie.runtime")


def up(
    setup: Setup,
    folder: RunFolder,
    facts: Facts,
    *,
    reproducible: bool = False,
    quiet: bool = True,
    baselines: Callable[[Outcome], dict[str, Outcome]] = lambda _: {},
) -> Summary:
    """Run the federation of `setup` to its end; raises ScenarioError where it cannot be run so, RunFailed where a node failed.

    folder: a new one, or that of such a run which was killed, which then goes on. It is filled as by a simulated run; nodes keep what
    they must not lose, each for its own eyes only, under `nodes/`. facts: about the federation. reproducible: derive the nodes' secrets
    from the seed, as the simulator does; by default they are random. baselines: makes what to compare with, once the run is over.
    """
    if setup.nodes > MOST_NODES:
        raise ScenarioError.at("nodes", f"{setup.nodes} processes are too many for one machine", f"take up to {MOST_NODES}, or simulate")
    scenario, kept = setup.scenario, Kept.of(folder.path, setup.nodes, reproducible=reproducible)
    what = LocalFederation.of(setup, None if kept.secrets is None else kept.secrets.__getitem__)
    record = Record(folder, setup.nodes, setup.task.metric, each_message=scenario.events == "messages")
    if kept.again:
        record.restore(kept.record)
    else:
        folder.write_facts(facts)
    processes = LocalProcesses(what, setup.nodes, kept.folder, _logging, trial=kept.trial)
    kept.write(processes)
    table = LiveTable(record, scenario.name, what.rounds, _roles(setup), processes.addresses, quiet=quiet)

    def tell(event: Event) -> None:
        record.take(event)
        table.draw()
        if time.monotonic() - kept.written > KEEP_SECONDS:
            kept.keep(record)

    with table, processes:
        kept.keep(record)
        results = processes.results(PATIENCE_SECONDS, tell)
    while record.round < what.rounds:
        record.end_round()
    folder.write_facts(_with_traffic(facts, record))
    return _finish(setup, folder, record, results, baselines)


@dataclass
class Kept:
    """What a run of processes needs to go on after it was killed, beside its nodes' checkpoints; gone when it is over.

    folder: `nodes/` of the run. secrets: of the nodes; None where they are derived from the seed. trial: who everybody is; None in a new
    run, until it is written.
    """

    folder: Path
    secrets: list[bytes] | None
    trial: Trial | None
    written: float = 0.0

    @classmethod
    def of(cls, run: Path, nodes: int, *, reproducible: bool) -> "Kept":
        """Of a run that was killed, or of one that begins. Raises ScenarioError where the former was begun in another way."""
        folder = run / "nodes"
        own = [folder / f"node-{node}" for node in range(nodes)]
        if not (folder / RECORD).exists():
            return cls(folder, None if reproducible else [token_bytes(32) for _ in own], None)
        if reproducible != (not (own[0] / SECRET).exists()):
            problem = "with --reproducible" if not reproducible else "without --reproducible"
            raise ScenarioError.at(str(run), f"holds a run that was begun {problem}", "go on with it: coterie resume " + str(run))
        secrets = None if reproducible else [(one / SECRET).read_bytes() for one in own]
        return cls(folder, secrets, Trial.read(own))

    @property
    def again(self) -> bool:
        """Whether the run was begun by an earlier process."""
        return self.trial is not None

    @property
    def record(self) -> Path:
        """Where the record is kept."""
        return self.folder / RECORD

    def write(self, processes: LocalProcesses) -> None:
        """Keep what the nodes must have again; from then on the run can be gone on with."""
        if self.again:
            return
        private_folder(self.folder)
        own = [processes.folder_of(place) for place in range(len(processes.places))]
        folders = [folder for folder in own if folder is not None]
        processes.trial.write(folders)
        for folder, secret in zip(folders, self.secrets or [], strict=False):
            write_private(folder / SECRET, secret)

    def keep(self, record: Record) -> None:
        """Keep the record."""
        self.written = time.monotonic()
        where_there_is_room(lambda: record.keep(self.record))


def begun(run: Path) -> bool:
    """Whether `run` is the folder of a run of processes that can be gone on with."""
    return (run / "nodes" / RECORD).exists() and not (run / SUMMARY).exists()


def reproducibly(run: Path) -> bool:
    """Whether it was begun so that it ends as a simulated one."""
    return not (run / "nodes" / "node-0" / SECRET).exists()


def opened(run: Path) -> RunFolder:
    """The folder of such a run, to go on writing; raises ScenarioError where another process does."""
    return RunFolder.resume(run, positions_kept(run / "nodes" / RECORD))


def _finish(
    setup: Setup,
    folder: RunFolder,
    record: Record,
    results: dict[int, NodeResult],
    baselines: Callable[[Outcome], dict[str, Outcome]],
) -> Summary:
    size, scenario = setup.network.layout.size, setup.scenario
    chosen = range(setup.nodes) if setup.everyone else setup.planner.holders(record.round).tolist()
    vectors = [results[node].vector[:size] for node in chosen]
    alike = not scenario.decentralized and all(np.array_equal(vector, vectors[0]) for vector in vectors)
    outcome = Outcome(
        **record.figures(),
        nodes=setup.nodes,
        rounds=record.round,
        bytes_sent=record.bytes_sent,
        bytes_received=record.bytes_sent,
        raw_bytes=setup.raw_bytes,
        attackers=len(setup.attackers),
        defence=record.judged.defence,
        digest=digest(vectors),
    )
    fields = {name: getattr(outcome, name) for name in Outcome.__struct_fields__}
    summary = Summary(
        **fields,
        name=scenario.name,
        seed=scenario.seed,
        ended_by="rounds",
        dataset_bytes=setup.task.dataset_bytes,
        baselines=baselines(outcome),
    )
    folder.write_models(setup.network.layout, vectors[:1] if alike else vectors, None if alike else len(vectors))
    folder.write_summary(summary)
    _tidy(folder.path / "nodes")
    return summary


def _tidy(nodes: Path) -> None:
    """The run is over: nobody comes back to a checkpoint, or is to be believed any more. Their logs stay."""
    for file in [*nodes.glob("*"), *nodes.glob("*/*"), *nodes.glob("*/.lock")]:
        if file.is_file() and file.name != "log.txt":
            file.unlink()


def _with_traffic(facts: Facts, record: Record) -> Facts:
    from msgspec.structs import replace

    both: dict[tuple[int, int], int] = {}
    for (a, b), size in record.edge_bytes.items():
        pair = (min(a, b), max(a, b))
        both[pair] = both.get(pair, 0) + size
    return replace(facts, edge_bytes=tuple((a, b, size) for (a, b), size in sorted(both.items())))


def _logging(folder: Path) -> None:
    """What a node's process has to say goes into a file of its own as well."""
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.getLogger("coterie").addHandler(handler)


def _roles(setup: Setup) -> list[str]:
    """What each node does in round 0, in words."""
    table = setup.planner.table(0)
    parts: tuple[tuple[str, Iterable[int]], ...] = (
        ("trainer", table.trainers.tolist()),
        ("aggregator", table.aggregators.tolist()),
        ("proxy", table.proxies.tolist()),
    )
    return [", ".join(name for name, who in parts if node in who) or "idle" for node in range(setup.nodes)]
