"""What can go wrong in a federation: the kinds of faults that a simulation injects.

A fault concerns nodes (it stops, pauses, slows them), links (nothing passes), or messages (a share of them meets with it). Between real
nodes messages travel on streams that are ordered and either whole or broken. So do they here: a message that is lost, or that does not
arrive as it was sent, breaks its stream, which is there again after a reconnect; then everything that was not acknowledged is sent
once more.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from annotated_types import Ge, Gt, Le, Lt

from coterie.core.bounds import Positive
from coterie.core.registry import Registry

FAULTS: Registry[type["FaultKind"]] = Registry("fault")
Share = Annotated[float, Gt(0), Lt(1)]
Factor = Annotated[float, Ge(1), Le(1e6)]
Rate = Annotated[float, Ge(0.01), Le(100)]


class FaultKind:
    """What all kinds have.

    hits: what a fault of this kind concerns.
    """

    hits: ClassVar[Literal["nodes", "links", "messages"]] = "nodes"


@FAULTS.register("crash")
@dataclass(frozen=True, kw_only=True)
class Crash(FaultKind):
    """A node stops at once and begins again when the fault is over.

    With its disk `kept` it goes on from its last checkpoint. With its disk `lost` it begins as it did in the first round, and only knows
    who it is.
    """

    disk: Literal["kept", "lost"] = "kept"


@FAULTS.register("pause")
@dataclass(frozen=True, kw_only=True)
class Pause(FaultKind):
    """A node does nothing for a while, and does not know it: a machine that sleeps, a process that is swapped out."""


@FAULTS.register("slow")
@dataclass(frozen=True, kw_only=True)
class Slow(FaultKind):
    """A node's device computes `factor` times slower."""

    factor: Factor = 4.0


@FAULTS.register("clock-skew")
@dataclass(frozen=True, kw_only=True)
class ClockSkew(FaultKind):
    """A node's clock runs `rate` times as fast as true time, and so its deadlines pass sooner or later.

    What its clock says makes no difference: the protocol reads no time of day.
    """

    rate: Rate = 1.1


@FAULTS.register("full-disk")
@dataclass(frozen=True, kw_only=True)
class FullDisk(FaultKind):
    """A node cannot write. At its next checkpoint it waits until there is room, as nothing that it said after it could be kept."""


@FAULTS.register("cut")
@dataclass(frozen=True, kw_only=True)
class Cut(FaultKind):
    """A link is cut, each of those between the nodes and the others by itself.

    one_way: only what the nodes send to the others is lost.
    """

    hits: ClassVar[Literal["nodes", "links", "messages"]] = "links"
    one_way: bool = False


@FAULTS.register("partition")
@dataclass(frozen=True, kw_only=True)
class Partition(FaultKind):
    """The network falls apart: nothing passes between the nodes and the others.

    one_way: only what the nodes send to the others is lost. Where no nodes are named, a random half of all is drawn each time.
    """

    hits: ClassVar[Literal["nodes", "links", "messages"]] = "links"
    one_way: bool = False


class OfMessages(FaultKind):
    """What happens to a share of messages."""

    hits: ClassVar[Literal["nodes", "links", "messages"]] = "messages"


@FAULTS.register("loss")
@dataclass(frozen=True, kw_only=True)
class Loss(OfMessages):
    """A message is lost, and its stream breaks. share: of messages."""

    share: Share = 0.01


@FAULTS.register("corruption")
@dataclass(frozen=True, kw_only=True)
class Corruption(OfMessages):
    """A message does not arrive as it was sent: its receiver refuses it, and its stream breaks. share: of messages."""

    share: Share = 0.01


@FAULTS.register("duplication")
@dataclass(frozen=True, kw_only=True)
class Duplication(OfMessages):
    """A message arrives once more, up to `seconds` later. share: of messages."""

    share: Share = 0.01
    seconds: Positive = 1.0


@FAULTS.register("delay")
@dataclass(frozen=True, kw_only=True)
class Delay(OfMessages):
    """A message takes up to `seconds` longer, and what was sent after it on its link waits for it. share: of messages."""

    share: Share = 0.01
    seconds: Positive = 1.0


@FAULTS.register("reordering")
@dataclass(frozen=True, kw_only=True)
class Reordering(OfMessages):
    """A message takes up to `seconds` longer and is overtaken. share: of messages."""

    share: Share = 0.01
    seconds: Positive = 1.0
