"""The part of a node that waits: its open gathers, and what opens, fills and closes them."""

from abc import ABC, abstractmethod
from typing import Any

from coterie.core.ids import NodeId
from coterie.federation.effects import FOREVER, Gather
from coterie.federation.flow import PENDING, Running, Waiting
from coterie.federation.mailbox import Mailbox, in_order
from coterie.federation.messages import Message
from coterie.federation.presence import Presence


class Waits(ABC):
    """Gathers of one node over its mailbox, and whom none of them waits for."""

    __slots__ = ("mailbox", "presence", "waits")

    def __init__(self, nodes: int) -> None:
        self.mailbox, self.presence = Mailbox(nodes), Presence()
        self.waits: list[Waiting] = []

    @abstractmethod
    def _resume(self, flow: Running, value: Any) -> None:
        """A flow goes on with what it waited for."""

    @abstractmethod
    def _next_token(self, flow: Running) -> int:
        """A flow begins to wait."""

    @abstractmethod
    def _after(self, seconds: float, flow: Running, token: int) -> None:
        """Have it closed then."""

    def recount(self) -> None:
        """Whom to wait for has changed."""
        for wait in list(self.waits):
            if wait in self.waits and wait.leave_out(self.presence):
                self._settle(wait)

    def withdraw(self, message: Message) -> None:
        """`message`, which waited in the mailbox, does so no more."""
        for wait in self.waits:
            wait.withdraw(message)

    def _depart(self, gone: dict[NodeId, int]) -> None:
        self.presence.gone |= gone
        self.recount()

    def _supersede(self, message: Message) -> None:
        """A newer model takes the place of an older one that nobody has looked at yet."""
        old = self.mailbox.supersede(message)
        if old is not None:
            self.withdraw(old)

    def _gather(self, flow: Running, effect: Gather[Any]) -> Any:
        wait = Waiting(flow, effect, self.presence)
        for message in self.mailbox.of(effect.kind):
            wait.offer(message)
        if wait.closes():
            return self._taken(wait)
        token = self._next_token(flow)
        self.waits.append(wait)
        if effect.deadline_seconds != FOREVER:
            self._after(effect.deadline_seconds, flow, token)
        self._grace(wait)
        return PENDING

    def _settle(self, wait: Waiting) -> None:
        """A wait has changed: close it, or start its grace."""
        if wait.closes():
            self._close(wait)
        elif not wait.grace_started:
            self._grace(wait)

    def _grace(self, wait: Waiting) -> None:
        """Start the grace of a wait for which enough is there."""
        grace = wait.effect.grace_seconds
        if 0.0 < grace < FOREVER and wait.complete():
            wait.grace_started = True
            self._after(grace, wait.flow, wait.flow.token)

    def _close(self, wait: Waiting) -> None:
        self.waits.remove(wait)
        self._resume(wait.flow, self._taken(wait))

    def _taken(self, wait: Waiting) -> tuple[Message, ...]:
        messages = wait.messages
        self.mailbox.take(messages)
        return tuple(in_order(messages) if len(messages) > 1 else messages)
