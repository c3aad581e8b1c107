"""A scenario run in the simulator: the federation, then its baselines, into one folder with a report."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from coterie.core.errors import ScenarioError
from coterie.learning.batched.policy import Batching
from coterie.learning.executors import cluster
from coterie.reporting.facts import Execution
from coterie.reporting.progress import Progress
from coterie.reporting.run_folder import REPORT, SCENARIO, RunFolder
from coterie.reporting.summary import Outcome, Summary
from coterie.scenario.baselines import Course, derive
from coterie.scenario.check import check, check_with_data
from coterie.scenario.reading import load
from coterie.scenario.scenario import Scenario
from coterie.scenario.setup import Setup
from coterie.simulator import cut
from coterie.simulator.checks import Checks
from coterie.simulator.describe import facts_of, with_traffic
from coterie.simulator.executor import executor_of
from coterie.simulator.simulate import CHECKPOINT, Finished, Simulation

if TYPE_CHECKING:
    from torch import nn

log = logging.getLogger("coterie.simulator")


@dataclass(frozen=True)
class Run:
    """A finished run: what is in its folder."""

    folder: RunFolder

    @property
    def summary(self) -> Summary:
        """The outcome, as in `summary.json`."""
        return self.folder.summary

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.folder.path / REPORT

    @cached_property
    def setup(self) -> Setup:
        """The scenario made ready, as it was run."""
        return Setup(load(self.folder.path / SCENARIO))

    def model(self, node: int | None = None) -> "nn.Module":
        """The final model as a torch module: that of `node`; without one, where nodes have models of their own, their average."""
        return self.setup.network.module(self.folder.models().vector(node)).eval()


def run(
    scenario: Scenario,
    *,
    out: Path | str | None = None,
    root: Path | str = "runs",
    quiet: bool = True,
    progress: Progress | None = None,
    looked_after: bool = False,
) -> Run:
    """Run `scenario` and its baselines; raises ScenarioError before anything starts if it cannot be run.

    out: the folder to write; by default the first free `root/<name>-<n>`. quiet: show no progress (on standard error).
    looked_after: whether the checks of the protocol look on (see `simulator.checks`); they raise Violation.
    """
    setup = checked(scenario)
    folder = RunFolder.create(scenario.yaml(), name=scenario.name, path=None if out is None else Path(out), root=Path(root))
    return _run(setup, folder, progress or Progress(quiet=quiet), looked_after=looked_after)


def resume(path: Path | str, *, quiet: bool = True, progress: Progress | None = None) -> Run:
    """Go on with a run that was killed; its digest is that of one that was not. A finished run is given as it is."""
    path = Path(path)
    if RunFolder.open(path).finished:
        return Run(RunFolder.open(path))
    setup = checked(load(path / SCENARIO), _settled(path))
    return _run(setup, RunFolder.resume(path, _positions(path)), progress or Progress(quiet=quiet))


def checked(scenario: Scenario, settled: Batching | None = None) -> Setup:
    """The scenario made ready, with everything about it checked, its data too; raises ScenarioError with all faults.

    settled: how its nodes are batched, where an earlier process has settled that.
    """
    faults, setup = check(scenario), Setup(scenario, settled)
    faults = faults or setup.faults() or check_with_data(setup)
    if faults:
        raise ScenarioError(*faults)
    return setup


def _settled(path: Path) -> Batching | None:
    """How nodes are batched in a run that was begun: as long as it lasts, or its digest would be another one."""
    execution = RunFolder.open(path).facts.execution if path.exists() else Execution()
    return Batching(execution.how, execution.nodes, execution.why) if execution.how else None


def _positions(path: Path) -> dict[str, int] | None:
    """How far the rows of a folder are to be kept: up to its checkpoint, if it has one."""
    file = path / CHECKPOINT
    if not file.exists():
        return None
    positions: dict[str, int] = cut.extra_of(file)["positions"]
    return positions


def _run(setup: Setup, folder: RunFolder, progress: Progress, *, looked_after: bool = False) -> Run:
    scenario = setup.scenario
    with _resumable(folder.path), folder, folder.logging(), progress, cluster.kept():
        folder.write_facts(facts_of(setup))
        main = _simulated(setup, folder, progress, scenario.name, looked_after=looked_after)
        _finish(folder, setup, main, baselines(setup, folder, main.outcome, progress))
        from coterie.reporting.report.page import write_report

        write_report(folder)
    return Run(RunFolder.open(folder.path))


def baselines(setup: Setup, folder: RunFolder, outcome: Outcome, progress: Progress) -> dict[str, Outcome]:
    """What a run that came to this outcome is compared with: each baseline simulated, in a folder of its own in the run's."""
    course = Course(setup.task.train.sizes, outcome.rounds, outcome.samples_trained)
    return {name: _baseline(folder, name, derive(setup.scenario, name, course), progress) for name in setup.scenario.baselines}


@contextmanager
def _resumable(path: Path) -> Iterator[None]:
    """Within this, whoever interrupts is told how to go on."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"What was done is kept: go on with coterie resume {path}")
        raise


def _baseline(parent: RunFolder, name: str, scenario: Scenario, progress: Progress) -> Outcome:
    """One baseline in a folder of its own; what an earlier, killed process has finished is taken as it is."""
    path = parent.path / "baselines" / name
    if (path / "summary.json").exists():
        summary = RunFolder.open(path).summary
        return Outcome(**{field: getattr(summary, field) for field in Outcome.__struct_fields__})
    setup = Setup(scenario, _settled(path))
    with parent.baseline(name, scenario.yaml(), _positions(path)) as folder:
        folder.write_facts(facts_of(setup))
        finished = _simulated(setup, folder, progress, name)
        _finish(folder, setup, finished, {})
    return finished.outcome


def _simulated(setup: Setup, folder: RunFolder, progress: Progress, name: str, *, looked_after: bool = False) -> Finished:
    log.info("%s trains %s", name, setup.batching)
    executor = executor_of(setup, folder.path)
    try:
        simulation = Simulation(setup, folder, executor, progress, messages=setup.scenario.events == "messages")
        if looked_after:
            simulation.simulator.checks = Checks(setup.federation, strangers=bool(setup.plots))
        finished = simulation.run(name)
        if setup.scenario.baselines:
            simulation.save(folder.path / CHECKPOINT)  # so that a process killed in a baseline does not begin again
        folder.write_facts(with_traffic(folder.facts, simulation.recorder.edge_bytes))
    finally:
        executor.close()
    return finished


def _finish(folder: RunFolder, setup: Setup, finished: Finished, compared: dict[str, Outcome]) -> None:
    """Models first, then the summary: with it the run has finished."""
    scenario = setup.scenario
    summary = Summary(
        **msgspec.structs.asdict(finished.outcome),
        name=scenario.name,
        seed=scenario.seed,
        ended_by=finished.ended_by,
        baselines=compared,
        dataset_bytes=setup.task.dataset_bytes,
    )
    folder.write_models(setup.network.layout, finished.vectors, len(finished.vectors) if finished.per_node else None)
    folder.write_summary(summary)
    (folder.path / CHECKPOINT).unlink(missing_ok=True)
