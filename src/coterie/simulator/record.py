"""Writes down what happens in a simulated run: metrics as they become known, rounds as they end, what every edge carried."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.messages import Message
from coterie.federation.node import Refusal
from coterie.reporting import judged
from coterie.reporting.run_folder import RunFolder

EDGES_COUNTED = 200_000
"""Traffic is counted per edge up to so many edges."""
TOGETHER = 32
"""Receivers of one message that are counted as one, since they are the same again and again."""
NOT_METRICS = frozenset({"samples", "steps", "aggregated", "rejected", "judged", "received"})


class Tally:
    """What one round has cost so far."""

    __slots__ = ("aggregated", "bytes", "messages", "trained")

    def __init__(self) -> None:
        self.bytes = self.messages = self.trained = self.aggregated = 0


class RunRecorder:
    """A `simulator.Recorder` that fills a run folder and tells `on_round` about every round that has ended."""

    def __init__(self, folder: RunFolder, *, messages: bool = False, on_round: Callable[[], None] | None = None) -> None:
        self.folder, self._each_message, self._on_round = folder, messages, on_round
        self.bytes_sent = self.messages = self.samples_trained = self.round = 0
        self.refused_for: Counter[str] = Counter()
        self.happenings: Counter[str] = Counter()
        self._edge_bytes: defaultdict[tuple[int, tuple[int, ...]], int] = defaultdict(int)  # by (sender, receivers)
        self._together = TOGETHER
        self.newest: dict[str, list[float]] = {}
        self._tallies: defaultdict[int, Tally] = defaultdict(Tally)
        self._waiting: list[tuple[int, int, float, Handle]] = []
        self._began = self._looked = time.monotonic()
        self._issued: Counter[int] = Counter()
        self._real: defaultdict[int, float] = defaultdict(float)
        self._real_seconds = 0.0
        self._ended: list[tuple[int, float, Tally]] = []
        self.judged = judged.Tally()

    @property
    def edge_bytes(self) -> dict[tuple[int, int], int]:
        """What each edge has carried, by (sender, receiver)."""
        found: defaultdict[tuple[int, int], int] = defaultdict(int)
        for (sender, to), size in self._edge_bytes.items():
            for receiver in to:
                found[sender, receiver] += size
        return dict(found)

    @property
    def wall_seconds(self) -> float:
        """Real seconds since the run began (here: since this process took it up)."""
        return time.monotonic() - self._began

    # ---- from the simulator

    def sent(self, time: float, sender: NodeId, to: tuple[NodeId, ...], message: Message, size: int) -> None:
        """Count a message for each of `to`."""
        tally = self._tallies[message.round]
        count = len(to)
        tally.messages += count
        tally.bytes += count * size
        self.messages += count
        self.bytes_sent += count * size
        if len(self._edge_bytes) < EDGES_COUNTED:
            if count <= self._together:
                self._edge_bytes[sender, to] += size
            else:
                for receiver in to:
                    self._edge_bytes[sender, (receiver,)] += size
        elif self._together > 1:  # they are not the same again and again
            self._together = 1
            each: dict[tuple[int, tuple[int, ...]], int] = {
                (sender, (receiver,)): size for (sender, receiver), size in self.edge_bytes.items()
            }
            self._edge_bytes = defaultdict(int, each)
        if self._each_message:
            kind = type(message).__name__.lower()
            for receiver in to:
                self.folder.append_message(seconds=time, sender=sender, receiver=receiver, kind=kind, round=message.round, bytes=size)

    def issued(self, job: Job[Any]) -> None:
        """Count a job."""
        self._issued[job.round] += 1
        if job.function == "train":
            self._tallies[job.round].trained += 1
        elif job.function in {"aggregate", "mix"}:
            self._tallies[job.round].aggregated += 1

    def reported(self, time: float, node: NodeId, round: int, facts: Handle) -> None:
        """Facts that are known, or will be at the next flush."""
        self._waiting.append((round, node, time, facts))

    def refused(self, time: float, node: NodeId, refusal: Refusal) -> None:
        """A message that was not taken in."""
        self._reject(node, refusal.sender, refusal.problem.reason, refusal.message.round, time)

    def computed(self) -> None:
        """Write the facts that have become known, grouped by metric and round, and what the rounds that are over have cost."""
        self._write_facts()
        self._write_rounds()

    def _write_facts(self) -> None:
        groups: defaultdict[tuple[int, str], list[tuple[int, float, float]]] = defaultdict(list)
        for round, node, at, facts in self._waiting:
            for name, value in facts.value.items():
                if name not in NOT_METRICS:
                    groups[round, name].append((node, value, at))
            if "steps" in facts.value:
                self.samples_trained += int(facts.value["samples"])
            for origin in facts.value.get("rejected", ()):
                self._reject(node, origin, "not finite", round, at)
            for event in self.judged.take(int(node), round, at, facts.value):
                self.folder.append_judged(event)
        self._waiting.clear()
        for (round, name), rows in groups.items():
            nodes, values, times = zip(*rows, strict=True)
            self.folder.append_metrics(round, name, list(nodes), list(values), np.array(times))
            self.newest[name] = list(values)

    def _write_rounds(self) -> None:
        """Real time since the last time goes to rounds by their jobs: those of many rounds may have been run at once."""
        now, jobs = time.monotonic(), self._issued.total()
        for number, count in self._issued.items():
            self._real[number] += (now - self._looked) * count / jobs
        self._looked = now
        self._issued.clear()
        for number, at, tally in self._ended:
            self._real_seconds += self._real.pop(number, 0.0)
            self.folder.append_round(
                round=number + 1,
                seconds=at,
                wall_seconds=self._real_seconds,
                bytes=tally.bytes,
                messages=tally.messages,
                trained=tally.trained,
                aggregated=tally.aggregated,
            )
        self._ended.clear()

    def round_done(self, time: float, round: int) -> None:
        """The round is over; its cost is written once its jobs have run."""
        self.round = round + 1
        self._ended.append((round, time, self._tallies.pop(round, Tally())))
        if self._on_round is not None:
            self._on_round()

    def _reject(self, node: int, sender: int, reason: str, round: int, seconds: float) -> None:
        self.refused_for[reason] += 1
        self.folder.append_rejection(node=node, sender=sender, reason=reason, round=round, seconds=seconds)

    def happened(self, time: float, node: NodeId, what: str, detail: str) -> None:
        """Something happened at a node that people may want to know of."""
        self.happenings[what] += 1
        self.folder.append_event(what, node=int(node), detail=detail, seconds=time)

    def fault(self, time: float, name: str, nodes: tuple[int, ...], until: float) -> None:
        """A fault was injected."""
        self.folder.append_fault(name, tuple(map(int, nodes)), time, until)

    # ---- resume

    def saved(self) -> dict[str, Any]:
        """What `restored` needs; every fact must have been computed."""
        return {
            "positions": self.folder.positions(),
            "counts": [self.bytes_sent, self.messages, self.samples_trained, self.round],
            "refused": list(self.refused_for.items()),
            "happened": list(self.happenings.items()),
            "wall_seconds": [self.wall_seconds, self._real_seconds, list(self._real.items())],
            "judged": self.judged.saved(),
            "edges": [[sender, to, size] for (sender, to), size in self._edge_bytes.items()],
            "tallies": [[round, t.bytes, t.messages, t.trained, t.aggregated] for round, t in self._tallies.items()],
        }

    def restored(self, saved: dict[str, Any]) -> None:
        """Become what `saved` said."""
        self.bytes_sent, self.messages, self.samples_trained, self.round = saved["counts"]
        self.refused_for.update(dict(saved["refused"]))
        self.happenings.update(dict(saved["happened"]))
        whole, self._real_seconds, real = saved["wall_seconds"]
        self._began = time.monotonic() - whole
        self._real.update(real)
        self.judged.restored(saved["judged"])
        self._edge_bytes.update({(sender, tuple(to)): size for sender, to, size in saved["edges"]})
        for round, *counts in saved["tallies"]:
            tally = self._tallies[round]
            tally.bytes, tally.messages, tally.trained, tally.aggregated = counts
