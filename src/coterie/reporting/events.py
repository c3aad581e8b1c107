"""What happened in a run: the rows of `events.jsonl`."""

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.reporting.metrics import Floats, Index, Ints
from coterie.reporting.rows import read_rows

EVENT_BYTES = 1 << 28
"""Messages and rejections are written until the file has this size (some two million rows); rounds always are."""

MOST_STRETCHES = 100_000
"""So many stretches are read."""

Count = Annotated[int, msgspec.Meta(ge=0)]


class RoundEvent(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="round"):
    """A round ended for everybody.

    round: how many rounds are now completed, as in `metrics.jsonl`; the first to end is 1.
    seconds, wall_seconds: virtual and real time that the run had taken when it ended.
    bytes, messages: sent in this round alone, repeats and acknowledgements included.
    trained, aggregated: how many nodes did.
    """

    round: Index
    seconds: float
    wall_seconds: float
    bytes: Count
    messages: Count
    trained: Count
    aggregated: Count


class MessageEvent(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="message", rename={"sender": "from", "receiver": "to"}):
    """A message was sent: at which virtual time, by whom, to whom, what, in which round and how heavy."""

    seconds: float
    sender: Index
    receiver: Index
    kind: str
    round: Index
    bytes: Count


class RejectedEvent(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="rejected", rename={"sender": "from"}):
    """A node refused what another sent, with the reason (a short fixed word); seconds: virtual time."""

    node: Index
    sender: Index
    reason: str
    round: Index
    seconds: float = 0.0


class StretchEvent(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="stretch", rename={"begin": "from", "end": "to"}):
    """One of the watched nodes was busy in virtual time: it trained, or sent (from handing over to the last byte)."""

    what: str
    node: Index
    round: Index
    begin: float
    end: float


class FaultEvent(msgspec.Struct, frozen=True, gc=False, tag_field="event", tag="fault", rename={"begin": "from", "end": "to"}):
    """A fault was injected: which kind, at which nodes, from when until when (null: for good).

    One of a single message names its sender and its receiver.
    """

    what: str
    nodes: tuple[Index, ...]
    begin: float
    end: float | None


class _AnyEvent(msgspec.Struct, frozen=True, gc=False, rename={"begin": "from", "end": "to"}):
    """What the columns below need of whatever event a line tells."""

    event: str
    round: Index = 0
    seconds: float = 0.0
    wall_seconds: float = 0.0
    bytes: Count = 0
    messages: Count = 0
    trained: Count = 0
    aggregated: Count = 0
    reason: str = ""
    what: str = ""
    node: Index = 0
    nodes: tuple[Index, ...] = ()
    of: tuple[Index, ...] = ()
    begin: float = 0.0
    end: float | None = 0.0


class Stretches(NamedTuple):
    """Who was busy when, as columns of shape (stretches,).

    what: `train`, `send`, or `cut`, with no length: what the node had sent came too late at the node `other` (-1 elsewhere).
    """

    what: npt.NDArray[np.str_]
    node: Ints
    round: Ints
    begin: Floats
    end: Floats
    other: Ints


@dataclass(frozen=True, eq=False, slots=True)
class Events:
    """Rounds as columns of shape (rounds,), in order; how often each reason for a rejection came; who was busy when; injected faults."""

    round: Ints
    seconds: Floats
    wall_seconds: Floats
    bytes: npt.NDArray[np.int64]
    messages: npt.NDArray[np.int64]
    trained: npt.NDArray[np.int64]
    aggregated: npt.NDArray[np.int64]
    rejected: dict[str, int]
    stretches: Stretches | None = None
    faults: tuple[FaultEvent, ...] = ()
    judged: dict[tuple[str, str, int], dict[int, int]] = field(default_factory=dict)
    """(what, reason, whose update) → round → by how many nodes."""

    def __len__(self) -> int:
        return len(self.round)

    def bytes_until(self, rounds: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """How many bytes had been sent when each of `rounds` (n,) had ended: (n,)."""
        moved = np.concatenate(([0], np.cumsum(self.bytes)))
        return moved[np.searchsorted(self.round, rounds, side="right")]


def read_events(path: Path) -> Events:
    """The rounds and rejections in an `events.jsonl`; raises ScenarioError where it is damaged."""
    rounds: list[_AnyEvent] = []
    rejected: dict[str, int] = {}
    stretches: list[tuple[str, int, int, float, float, int]] = []
    faults: list[FaultEvent] = []
    judged: defaultdict[tuple[str, str, int], dict[int, int]] = defaultdict(dict)
    for rows in read_rows(path, _AnyEvent):
        for row in rows:
            if row.event == "round":
                rounds.append(row)
            elif row.event == "rejected":
                rejected[row.reason] = rejected.get(row.reason, 0) + 1
                if row.reason == "stale" and len(stretches) < MOST_STRETCHES:
                    stretches.append(("cut", int(row.begin), row.round, row.seconds, row.seconds, row.node))  # `from` is who sent it
            elif row.event == "stretch" and len(stretches) < MOST_STRETCHES:
                stretches.append((row.what, row.node, row.round, row.begin, row.end or 0.0, -1))
            elif row.event == "fault" and len(faults) < MOST_STRETCHES:
                faults.append(FaultEvent(row.what, row.nodes, row.begin, row.end))
            elif row.event == "judged":
                _count(judged, row)
    rounds.sort(key=lambda row: row.round)

    def column(name: str, kind: Any) -> Any:
        return np.fromiter((getattr(row, name) for row in rounds), kind, len(rounds))

    return Events(
        round=column("round", np.int32),
        seconds=column("seconds", np.float64),
        wall_seconds=column("wall_seconds", np.float64),
        bytes=column("bytes", np.int64),
        messages=column("messages", np.int64),
        trained=column("trained", np.int64),
        aggregated=column("aggregated", np.int64),
        rejected=rejected,
        stretches=_stretches(stretches),
        faults=tuple(faults),
        judged=dict(judged),
    )


def _count(judged: defaultdict[tuple[str, str, int], dict[int, int]], row: _AnyEvent) -> None:
    for node in row.of:
        by_round = judged[row.what, row.reason, node]
        by_round[row.round] = by_round.get(row.round, 0) + 1


def _stretches(rows: list[tuple[str, int, int, float, float, int]]) -> Stretches | None:
    if not rows:
        return None
    what, node, round, begin, end, other = zip(*rows, strict=True)
    ints, floats = np.int32, np.float64
    return Stretches(
        np.array(what), np.array(node, ints), np.array(round, ints), np.array(begin, floats), np.array(end, floats), np.array(other, ints)
    )
