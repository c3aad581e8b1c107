"""Writes down what the nodes of a running federation tell: the same run folder as a simulated run has, on the wall's clock."""

import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from coterie.reporting.judged import Tally
from coterie.reporting.run_folder import EVENTS, METRICS, RunFolder
from coterie.reporting.summary import spreads
from coterie.runtime.watching import Event

NOT_METRICS = frozenset({"samples", "steps", "aggregated", "rejected", "judged", "received"})


@dataclass
class NodeNow:
    """What is known of one node at the moment."""

    round: int = 0
    score: float | None = None
    bytes_sent: int = 0
    bytes_received: int = 0
    refused: int = 0
    problem: str = ""


@dataclass
class _Tally:
    bytes: int = 0
    messages: int = 0
    trained: int = 0
    aggregated: int = 0


@dataclass
class Record:
    """Takes events (`watching.Event`), fills `folder`, and knows how things are. metric: what `NodeNow.score` is.

    A node that comes back tells some things once more; they are written once.
    """

    folder: RunFolder
    nodes: int
    metric: str
    each_message: bool = False
    now: list[NodeNow] = field(default_factory=list)
    edge_bytes: Counter[tuple[int, int]] = field(default_factory=Counter)
    bytes_sent: int = 0
    messages: int = 0
    samples_trained: int = 0
    refused_for: Counter[str] = field(default_factory=Counter)
    happenings: Counter[str] = field(default_factory=Counter)
    round: int = 0
    judged: Tally = field(default_factory=Tally)
    newest: dict[str, dict[int, float]] = field(default_factory=lambda: defaultdict(dict))
    _told: dict[tuple[int, str], int] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)
    _heads: dict[int, int] = field(default_factory=dict)
    _tallies: defaultdict[int, _Tally] = field(default_factory=lambda: defaultdict(_Tally))

    def __post_init__(self) -> None:
        self.now = [NodeNow() for _ in range(self.nodes)]

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._began

    def figures(self) -> dict[str, Any]:
        """What of an `Outcome` is known here: metrics as they are now, and what was counted."""
        return {
            **spreads(self.folder.metrics.final()),
            "messages": self.messages,
            "virtual_seconds": self.seconds,
            "wall_seconds": self.seconds,
            "samples_trained": self.samples_trained,
            "refused": dict(sorted(self.refused_for.items())),
            "happened": dict(sorted(self.happenings.items())),
            "updates_taken": self.judged.taken,
        }

    def keep(self, file: Path) -> None:
        """Write down all that is known, and how far the rows of the folder go; what comes later than that is lost with this process."""
        kept = {
            "positions": self.folder.positions(),
            "seconds": self.seconds,
            "counts": [self.bytes_sent, self.messages, self.samples_trained, self.round],
            "now": [asdict(about) for about in self.now],
            "edges": [(*edge, size) for edge, size in self.edge_bytes.items()],
            "newest": {metric: list(values.items()) for metric, values in self.newest.items()},
            "told": [(*key, round) for key, round in self._told.items()],
            "heads": list(self._heads.items()),
            "tallies": [(round, asdict(tally)) for round, tally in self._tallies.items()],
            "judged": self.judged.saved(),
            "refused": list(self.refused_for.items()),
            "happened": list(self.happenings.items()),
        }
        partial = file.with_name(file.name + ".partial")
        partial.write_bytes(msgspec.msgpack.encode(kept))
        partial.replace(file)

    def restore(self, file: Path) -> None:
        """Know again what was kept there."""
        kept = msgspec.msgpack.decode(file.read_bytes())
        self._began -= kept["seconds"]
        self.bytes_sent, self.messages, self.samples_trained, self.round = kept["counts"]
        self.now = [NodeNow(**about) for about in kept["now"]]
        self.edge_bytes.update({(a, b): size for a, b, size in kept["edges"]})
        for metric, values in kept["newest"].items():
            self.newest[metric].update(values)
        self._told = {(node, metric): round for node, metric, round in kept["told"]}
        self._heads = dict(kept["heads"])
        self._tallies.update({round: _Tally(**tally) for round, tally in kept["tallies"]})
        self.judged.restored(kept["judged"])
        self.refused_for.update(dict(kept["refused"]))
        self.happenings.update(dict(kept["happened"]))

    def take(self, event: Event) -> None:
        """One event."""
        kind, *rest = event
        getattr(self, f"_{kind.replace(' ', '_')}")(*rest)

    def _sent(self, node: int, to: int, kind: str, round: int, size: int) -> None:
        tally = self._tallies[round]
        tally.messages += 1
        tally.bytes += size
        self.messages += 1
        self.bytes_sent += size
        self.edge_bytes[node, to] += size
        self.now[node].bytes_sent += size
        self.now[to].bytes_received += size
        if self.each_message:
            self.folder.append_message(seconds=self.seconds, sender=node, receiver=to, kind=kind, round=round, bytes=size)

    def _job(self, node: int, function: str, round: int) -> None:  # noqa: ARG002 - what an event has
        tally = self._tallies[round]
        tally.trained += function == "train"
        tally.aggregated += function in {"aggregate", "mix"}

    def _facts(self, node: int, round: int, facts: dict[str, Any]) -> None:
        news = {name for name in facts if self._told.get((node, name), -1) < round}
        self._told.update(dict.fromkeys(((node, name) for name in news), round))
        for name, value in facts.items():
            if name not in NOT_METRICS and name in news:
                self.folder.append_metrics(round, name, [node], [value], self.seconds)
                self.newest[name][node] = value
        if "steps" in news:
            self.samples_trained += int(facts["samples"])
        for origin in facts.get("rejected", ()):
            self._refused(node, origin, "not finite", round)
        for event in self.judged.take(node, round, self.seconds, facts):
            self.folder.append_judged(event)
        score = facts.get(self.metric, facts.get(f"{self.metric}_own"))
        if score is not None:
            self.now[node].score = float(score)

    def _refused(self, node: int, sender: int, reason: str, round: int) -> None:
        self.folder.append_rejection(node=node, sender=sender, reason=reason, round=round)
        self.now[sender].refused += 1
        self.refused_for[reason] += 1

    def _happened(self, node: int, what: str, detail: str) -> None:
        self.happenings[what] += 1
        self.folder.append_event(what, node=node, detail=detail, seconds=self.seconds)

    def _cut_off(self, nodes: tuple[int, ...], problem: str) -> None:
        for node in nodes:
            self.now[node].problem = f"cut off: {problem}"
        self.folder.append_event("cut off", nodes=list(nodes), problem=problem)

    def _failed(self, nodes: tuple[int, ...], text: str) -> None:
        reason = text.splitlines()[0] if text else "no reason given"
        for node in nodes:
            self.now[node].problem = f"failed: {reason}"
        self.folder.append_event("failed", nodes=list(nodes), problem=text)

    def _troubled(self, nodes: tuple[int, ...], problem: str) -> None:
        for node in nodes:
            self.now[node].problem = problem
        self.folder.append_event("troubled", nodes=list(nodes), problem=problem)

    def _round(self, node: int, round: int, held: bool) -> None:
        """A round is over once nobody who holds a model is in it or before it."""
        self.now[node].round = round
        self._heads.pop(node, None)
        if held:
            self._heads[node] = round
            while self.round < min(self._heads.values()):
                self.end_round()

    def end_round(self) -> None:
        """Write down what the round that is over has cost."""
        tally, seconds = self._tallies.pop(self.round, _Tally()), self.seconds
        self.round += 1
        self.folder.append_round(
            round=self.round,
            seconds=seconds,
            wall_seconds=seconds,
            bytes=tally.bytes,
            messages=tally.messages,
            trained=tally.trained,
            aggregated=tally.aggregated,
        )


def positions_kept(file: Path) -> dict[str, int]:
    """How far the rows of the folder went when `Record.keep` last wrote `file`; from the beginning where it never did."""
    if not file.exists():
        return {METRICS: 0, EVENTS: 0}
    positions: dict[str, int] = msgspec.msgpack.decode(file.read_bytes())["positions"]
    return positions
