"""What happened in a run: the rows of `events.jsonl`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.reporting.metrics import Floats, Index, Ints
from coterie.reporting.rows import read_rows

EVENT_BYTES = 1 << 28
"""Messages and rejections are written until the file has this size (some two million rows); rounds always are."""

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
    """A node refused what another sent, with the reason (a short fixed word)."""

    node: Index
    sender: Index
    reason: str
    round: Index


class _AnyEvent(msgspec.Struct, frozen=True, gc=False, rename={"sender": "from"}):
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


@dataclass(frozen=True, eq=False, slots=True)
class Events:
    """Rounds as columns of shape (rounds,), in order, and how often each reason for a rejection came."""

    round: Ints
    seconds: Floats
    wall_seconds: Floats
    bytes: npt.NDArray[np.int64]
    messages: npt.NDArray[np.int64]
    trained: npt.NDArray[np.int64]
    aggregated: npt.NDArray[np.int64]
    rejected: dict[str, int]

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
    for rows in read_rows(path, _AnyEvent):
        for row in rows:
            if row.event == "round":
                rounds.append(row)
            elif row.event == "rejected":
                rejected[row.reason] = rejected.get(row.reason, 0) + 1
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
    )
