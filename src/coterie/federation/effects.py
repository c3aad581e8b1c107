"""What a flow can ask of the world.

A flow is a plain `async def`; it awaits effects, and whoever runs it (a `Node` under a driver) answers. `await effect`
gives the answer; nothing else in a flow may suspend. Effects are data: making one does nothing.
"""

from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, ParamSpec, TypeVar

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.messages import Message

T = TypeVar("T")
M = TypeVar("M", bound=Message)
Out = TypeVar("Out", bound=tuple[Any, ...])
P = ParamSpec("P")
Flow = Coroutine["Effect[Any]", Any, T]

FOREVER = float("inf")


class Effect(Generic[T]):
    """A request whose answer has type T."""

    __slots__ = ()

    def __await__(self) -> Generator["Effect[Any]", Any, T]:
        answer: T = yield self
        return answer

    def __repr__(self) -> str:
        names: tuple[str, ...] = self.__slots__
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__name__}({fields})"


class Send(Effect[None]):
    """Hand `message` to the neighbours `to`; with `beyond`, each of them is to see that it reaches those further nodes."""

    __slots__ = ("beyond", "message", "to")

    def __init__(self, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...] = ()) -> None:
        self.to, self.message, self.beyond = to, message, beyond


class Gather(Effect[tuple[M, ...]]):
    """Wait for messages of one kind and phase with low ≤ round ≤ high from `senders` (None: anybody who passes `accepts`).

    Closes when every present node of `awaited` (by default the senders) answered; or `need` messages are there and
    `grace_seconds` have passed since; or `deadline_seconds` have passed. Messages of rounds before `since` are taken in, but neither
    answer nor count: one that is late is not the one that is waited for. At most `most` are taken, those that came first; further ones
    are left for the next gather. `phase` may be several.
    Answers with what is there, ordered by (origin, round, attempt): perhaps nothing. It never raises for a peer's fault.
    All three schedules are settings of these numbers: synchronous is need ∞, asynchronous a fixed need and grace 0.
    """

    __slots__ = (
        "accepts", "awaited", "deadline_seconds", "grace_seconds", "high", "kind", "low", "most", "need", "phases", "senders", "since"
    )  # fmt: skip

    def __init__(
        self,
        kind: type[M],
        low: int,
        high: float,
        senders: frozenset[NodeId] | None,
        *,
        need: float = FOREVER,
        grace_seconds: float = 0.0,
        deadline_seconds: float = FOREVER,
        phase: int | tuple[int, ...] = 0,
        accepts: Callable[[M], bool] | None = None,
        since: int = 0,
        most: float = FOREVER,
        awaited: frozenset[NodeId] | None = None,
    ) -> None:
        self.kind, self.low, self.high, self.senders = kind, low, high, senders
        self.phases = (phase,) if isinstance(phase, int) else phase
        self.need, self.grace_seconds, self.deadline_seconds, self.accepts = need, grace_seconds, deadline_seconds, accepts
        self.since, self.most, self.awaited = since, most, senders if awaited is None else awaited


class Do(Effect[Out]):
    """Have a job done; the answer is its (lazy) output handles, when the device has had the time for it."""

    __slots__ = ("job",)

    def __init__(self, job: Job[Out]) -> None:
        self.job = job


def work(job: Job[Out]) -> Effect[Out]:
    """Await this for a job's output handles. A function, not an alias, so that the job's type is kept."""
    return Do(job)


class Checkpoint(Effect[bool]):
    """Keep `state` for good; a restart begins here. Only at the head of a loop in a flow's top function.

    Answers whether to go on: False when the run's budget is spent. waits: whether the flow, if it goes on, will only wait for
    messages from here: a driver may then forget it, and run it again from `state` when one comes. light: nothing depends on it that
    others could see, so it need not be kept before the next checkpoint of any flow.
    """

    __slots__ = ("light", "state", "waits")

    def __init__(self, state: Any, *, waits: bool = False, light: bool = False) -> None:
        self.state, self.waits, self.light = state, waits, light


class Report(Effect[None]):
    """Have an evaluation done and its facts written down for `round`, without waiting for it."""

    __slots__ = ("job", "round")

    def __init__(self, round: int, job: Job[Any]) -> None:
        self.round, self.job = round, job


class Note(Effect[None]):
    """Write down facts that exist already, or a handle of facts that will."""

    __slots__ = ("facts", "round")

    def __init__(self, round: int, facts: Handle) -> None:
        self.round, self.facts = round, facts


class Refuse(Effect[None]):
    """Have it counted that a message was not taken in, and why: `reason` in a word or two, `detail` for people."""

    __slots__ = ("detail", "message", "reason")

    def __init__(self, message: Message, reason: str, detail: str = "") -> None:
        self.message, self.reason, self.detail = message, reason, detail


class Inspect(Effect[Any]):
    """The value behind a handle. A barrier: everything before it must be computed, so only choices of *whom* use it."""

    __slots__ = ("handle",)

    def __init__(self, handle: Handle) -> None:
        self.handle = handle


class Numbers(Effect[tuple[int, ...]]):
    """The vector behind a handle that came with a message, as whole numbers; -1 in place of what is none below 2²⁴."""

    __slots__ = ("handle",)

    def __init__(self, handle: Handle) -> None:
        self.handle = handle


class Sleep(Effect[None]):
    """Let so many seconds pass."""

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Absent(Effect[None]):
    """Say which nodes are held to be gone: open and later gathers do not wait for them, and only the newest is kept for them."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: frozenset[NodeId]) -> None:
        self.nodes = nodes


class Present(Effect[None]):
    """Say which nodes are there after all: gathers from now on wait for them."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: frozenset[NodeId]) -> None:
        self.nodes = nodes


class Heard(Effect[tuple[NodeId, ...]]):
    """Who gave a sign of life since this was last asked, in order."""

    __slots__ = ()


class Around(Effect[tuple[tuple[NodeId, int, int, int, bool, int], ...]]):
    """What is known of each peer, in order; see `presence.Sign`."""

    __slots__ = ()


class Promise(Effect[None]):
    """From now on give out nothing that belongs to a round of an earlier term than `term`; or again, where that is an earlier one."""

    __slots__ = ("term",)

    def __init__(self, term: int) -> None:
        self.term = term


class Promised(Effect[int]):
    """The term before which nothing is taken in."""

    __slots__ = ()


class Anew(Effect[None]):
    """End all flows of the node, this one too, and begin its first one again from `state`, in that state's view."""

    __slots__ = ("state",)

    def __init__(self, state: Any) -> None:
        self.state = state


class Kept(Effect[Any]):
    """The state of the node's first flow at its last checkpoint."""

    __slots__ = ()


class Event(Effect[None]):
    """Have it written down that something happened: `what` in a word or two, `detail` for people."""

    __slots__ = ("detail", "what")

    def __init__(self, what: str, detail: str = "") -> None:
        self.what, self.detail = what, detail


class Spawn(Effect[int]):
    """Start a child flow; the answer is its number. A function and arguments, never a coroutine, so that it can be resumed."""

    __slots__ = ("arguments", "function")

    def __init__(self, function: Callable[..., Flow[Any]], arguments: tuple[Any, ...]) -> None:
        self.function, self.arguments = function, arguments


class Cancel(Effect[None]):
    """End a child flow: `Cancelled` is thrown at its await; it may clean up, but must not await."""

    __slots__ = ("child",)

    def __init__(self, child: int) -> None:
        self.child = child


class Cancelled(BaseException):
    """Thrown into a flow that is to end."""


class FlowFailed(RuntimeError):
    """A child flow failed; thrown into its parent at its await, the cause chained."""


class beside:  # noqa: N801 - reads as a statement
    """`async with beside(flow, *args):` runs `flow` beside the block and ends it with the block."""

    __slots__ = ("arguments", "child", "function")

    def __init__(self, function: Callable[P, Flow[Any]], *arguments: P.args, **kwargs: P.kwargs) -> None:
        if kwargs:
            raise TypeError("a flow that runs beside takes positional arguments only")
        self.function, self.arguments, self.child = function, arguments, -1

    async def __aenter__(self) -> None:
        self.child = await Spawn(self.function, self.arguments)

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:  # otherwise the parent is ending, and its children end with it
            await Cancel(self.child)
