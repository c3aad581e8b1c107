"""A flow in progress, and what it waits for."""

from collections.abc import Callable
from typing import Any

from coterie.core.ids import NodeId
from coterie.federation.effects import Effect, Flow, Gather
from coterie.federation.messages import Message
from coterie.federation.presence import Presence

PENDING = object()
"""In place of an answer that is still to come."""


class Running:
    """One flow of a node: the coroutine, the effect it waits at, and its journal.

    The journal is what a resume feeds back: `prologue` (answers before the first checkpoint: only spawned children),
    `state` (the last checkpoint) and `answers` since then.
    """

    __slots__ = ("answers", "arguments", "coroutine", "effect", "function", "number", "parent", "prologue", "state", "token")

    def __init__(
        self, number: int, function: Callable[..., Flow[Any]], arguments: tuple[Any, ...], parent: "Running | None", *, journal: bool
    ) -> None:
        self.number, self.function, self.arguments, self.parent = number, function, arguments, parent
        self.coroutine = function(*arguments)
        self.effect: Effect[Any] | None = None
        self.token = -1
        self.state: Any = None
        self.prologue: list[Any] = []
        self.answers: list[Any] | None = [] if journal else None

    @property
    def name(self) -> str:
        """The name of its function."""
        return self.function.__name__

    def stack(self) -> list[str]:
        """Where it stands, outermost first: `participate:31 > one_round:58`."""
        places = []
        awaited: Any = self.coroutine
        while getattr(awaited, "cr_frame", None) is not None:
            places.append(f"{awaited.cr_code.co_name}:{awaited.cr_frame.f_lineno}")
            awaited = awaited.cr_await
        return places


class Waiting:
    """An open gather of a flow: what it has and whom it misses."""

    __slots__ = ("counted", "effect", "flow", "grace_started", "messages", "missing")

    def __init__(self, flow: Running, effect: Gather[Any], presence: Presence) -> None:
        self.flow, self.effect = flow, effect
        self.messages: list[Message] = []
        self.counted = 0
        self.missing: set[NodeId] | None = None
        if effect.awaited is not None:
            self.missing = set(effect.awaited)
            self.leave_out(presence)
        self.grace_started = False

    def offer(self, message: Message) -> bool:
        """Note that `message` is waiting; False if it is none of ours."""
        effect, number, origin = self.effect, message.round, message.origin
        senders, accepts = effect.senders, effect.accepts
        if (
            message.__class__ is not effect.kind
            or not effect.low <= number <= effect.high
            or message.phase not in effect.phases
            or (senders is not None and origin not in senders)
            or (accepts is not None and not accepts(message))
            or len(self.messages) >= effect.most
        ):
            return False
        self.messages.append(message)
        if number >= effect.since:
            self.counted += 1
            if self.missing is not None:
                self.missing.discard(origin)
        return True

    def withdraw(self, message: Message) -> None:
        """`message`, which was offered, is not waiting any more: a newer one has taken its place."""
        for place, known in enumerate(self.messages):
            if known is message:
                del self.messages[place]
                self.counted -= message.round >= self.effect.since
                return

    def leave_out(self, presence: Presence) -> bool:
        """Do not wait for those from whom nothing more will come; True if that changes anything."""
        missing = self.missing
        if not missing or not (presence.suspected or presence.gone or presence.rounds):
            return False
        released = presence.released(self.effect, missing)
        missing -= released
        return bool(released)

    def answered_by_all(self) -> bool:
        """Whether every present sender answered (never, where the senders are not known)."""
        return self.missing is not None and not self.missing

    def complete(self) -> bool:
        """Whether it may close, at once or after its grace."""
        return self.counted >= self.effect.need or self.answered_by_all()

    def closes(self) -> bool:
        """Whether it closes now: all are there, or enough of them and there is no grace."""
        effect, missing = self.effect, self.missing
        return (missing is not None and not missing) or (effect.grace_seconds == 0.0 and self.counted >= effect.need)

    def __repr__(self) -> str:
        effect = self.effect
        missing = "anybody" if self.missing is None else f"nodes {sorted(self.missing)}"
        high = "…" if effect.high == float("inf") else effect.high
        return f"{effect.kind.__name__} of rounds {effect.low} to {high}: has {len(self.messages)}, misses {missing}"
