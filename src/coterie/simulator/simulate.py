"""One scenario, simulated into one run folder, with checkpoints from which a killed run goes on."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.jobs import Executor, Handle
from coterie.federation.budget import Budget
from coterie.reporting.progress import Progress
from coterie.reporting.run_folder import RunFolder
from coterie.reporting.summary import Outcome, digest, spreads
from coterie.scenario.setup import Setup
from coterie.simulator import cut
from coterie.simulator.attacked import attacked
from coterie.simulator.faulty import simulator_of
from coterie.simulator.record import RunRecorder
from coterie.simulator.timeline import Timeline, watched
from coterie.simulator.work import JobGraph

CHECKPOINT = "checkpoint"
CHECKPOINT_SECONDS = 10.0
CHECKPOINT_SHARE = 0.05
"""Checkpoints take at most this share of the time."""
SHOW_SECONDS = 0.25
WINDOW_BYTES = 512 << 20
WINDOW_JOBS = (64, 4096)
"""Least and most jobs that wait at a time; between them, as many as WINDOW_BYTES of models."""

log = logging.getLogger("coterie.simulator")


@dataclass(frozen=True)
class Finished:
    """A run that came to its end: its outcome, and each node's final vector in node order (one, where all are the same)."""

    outcome: Outcome
    ended_by: str
    vectors: list[NDArray[np.float32]]
    per_node: bool


class Simulation:
    """One setup being simulated into a folder."""

    def __init__(self, setup: Setup, folder: RunFolder, executor: Executor, progress: Progress, *, messages: bool) -> None:
        import torch

        from coterie.learning.executors import to_numpy

        self.setup, self.folder, self.progress = setup, folder, progress
        self.to_numpy: Callable[[Any], NDArray[np.float32]] = to_numpy
        self._from_numpy: Callable[[NDArray[np.float32]], Any] = getattr(executor, "restored", torch.from_numpy)
        self.recorder = RunRecorder(folder, messages=messages, on_round=self._round_ended)
        least, most = WINDOW_JOBS
        window = min(most, max(least, WINDOW_BYTES // (4 * setup.initial.size)))
        self.simulator = simulator_of(
            setup,
            Handle(torch.from_numpy(setup.initial)),
            JobGraph(executor, window),
            budget=setup.budget(),
            recorder=self.recorder,
            timeline=Timeline(watched=watched(setup), stretch=folder.append_stretch),
        )
        attacked(self.simulator, setup)
        self.recorder.judged.attackers = setup.attackers
        self.recorder.judged.attacking = lambda node, number: any(plot.on(node, number) for plot in setup.plots)
        self._shown = time.monotonic()

    @property
    def budget(self) -> Budget:
        """The run's budget, and what it has seen."""
        return self.simulator.budget

    def run(self, name: str) -> Finished:
        """To the end, from the folder's checkpoint if there is one."""
        file = self.folder.path / CHECKPOINT
        if file.exists():
            extra = cut.load(self.simulator, file, self._from_numpy)
            self.recorder.restored(extra)
            self.simulator.jobs.seconds.update(extra["job_seconds"])
            log.info("goes on at round %s from %s", self.recorder.round, file)
        self.progress.start(name, self.budget.rounds, metric=self.setup.task.metric, done=self.recorder.round)
        if not file.exists():
            self.simulator.start()
        pause = CHECKPOINT_SECONDS
        while True:
            due = time.monotonic() + pause
            self.simulator.run(until=lambda due=due: time.monotonic() >= due)  # type: ignore[misc]
            if not self.simulator.heap:
                break
            began = time.monotonic()
            self.save(file)
            pause = max(CHECKPOINT_SECONDS, (time.monotonic() - began) / CHECKPOINT_SHARE)
        self._show()
        self.progress.finish()
        return self._finished()

    def save(self, file: Path) -> None:
        """Write the checkpoint that `run` goes on from."""
        self.simulator.flush()
        extra = {**self.recorder.saved(), "job_seconds": dict(self.simulator.jobs.seconds)}
        cut.save(self.simulator, file, extra, self.to_numpy)

    def _round_ended(self) -> None:
        if time.monotonic() - self._shown >= SHOW_SECONDS:
            self.simulator.flush()
            self._show()

    def _show(self) -> None:
        recorder, metric = self.recorder, self.setup.task.metric
        self._shown = time.monotonic()
        score = recorder.newest.get(metric) or recorder.newest.get(f"{metric}_own")
        loss = recorder.newest.get("loss") or recorder.newest.get("loss_own")
        self.progress.update(recorder.round, score=score, loss=loss, bytes=recorder.bytes_sent)

    def _finished(self) -> Finished:
        simulator, recorder = self.simulator, self.recorder
        federation = simulator.federation
        chosen = range(federation.nodes) if federation.everyone else federation.planner.holders(recorder.round).tolist()
        handles = [simulator.result(node).model for node in chosen]
        size = self.setup.network.layout.size
        distinct = {handle.number: self.to_numpy(handle.value)[:size] for handle in set(handles)}
        vectors = [distinct[handle.number] for handle in handles]
        alike = all(handle is handles[0] for handle in handles)
        last = self.folder.metrics.final()
        spent = {part: round(seconds, 6) for part, seconds in sorted(simulator.jobs.seconds.items())}
        log.info("of %.3f s: %s", recorder.wall_seconds, ", ".join(f"{part} {seconds:.3f} s" for part, seconds in spent.items()))
        outcome = Outcome(
            **spreads(last),
            nodes=federation.nodes,
            rounds=recorder.round,
            bytes_sent=recorder.bytes_sent,
            bytes_received=recorder.bytes_sent,
            messages=recorder.messages,
            raw_bytes=self.setup.raw_bytes,
            virtual_seconds=simulator.finished_at,
            wall_seconds=recorder.wall_seconds,
            job_seconds=spent,
            samples_trained=recorder.samples_trained,
            attackers=len(self.setup.attackers),
            faults=dict(sorted(simulator.faults_met.items())),
            refused=dict(sorted(recorder.refused_for.items())),
            happened=dict(sorted(recorder.happenings.items())),
            updates_taken=recorder.judged.taken,
            defence=recorder.judged.defence,
            digest=digest(vectors),
        )
        return Finished(outcome, self.budget.reason or "rounds", vectors[:1] if alike else vectors, per_node=not alike)
