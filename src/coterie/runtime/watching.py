"""What happens at a node as events, plain tuples: for a record of the same process, or for the process that started this one."""

import asyncio
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from coterie.core.ids import NodeId
from coterie.core.jobs import Job
from coterie.federation.messages import Message
from coterie.federation.state import RoundState
from coterie.runtime.watch import Watch

FLUSH_SECONDS = 0.1

Event = tuple[Any, ...]
"""("facts", node, round, facts), ("sent", node, to, kind, round, bytes), ("job", node, function, round),
("round", node, round, held), ("refused", node, sender, reason, round), ("cut off", nodes, problem), ("failed", nodes, text),
("troubled", nodes, problem), ("happened", node, what, detail)."""


class Telling(Watch):
    """Makes events of what happens and gives each to `tell`."""

    def __init__(self, tell: Callable[[Event], None]) -> None:
        self._tell = tell

    def facts(self, node: NodeId, round: int, facts: dict[str, Any]) -> None:
        """A node has measured something."""
        self._tell(("facts", int(node), round, facts))

    def sent(self, node: NodeId, to: NodeId, message: Message, size: int) -> None:
        """A message was sent."""
        self._tell(("sent", int(node), int(to), type(message).__name__.lower(), message.round, size))

    def job(self, node: NodeId, job: Job[Any]) -> None:
        """A job was issued."""
        self._tell(("job", int(node), job.function, job.round))

    def state(self, node: NodeId, state: Any) -> None:
        """A node is at the head of a round."""
        if isinstance(state, RoundState):
            self._tell(("round", int(node), state.round, state.held))

    def refused(self, node: NodeId, sender: NodeId, reason: str, round: int) -> None:
        """Something was refused."""
        self._tell(("refused", int(node), int(sender), reason, round))

    def happened(self, node: NodeId, what: str, detail: str) -> None:
        """Something happened that people may want to know of."""
        self._tell(("happened", int(node), what, detail))

    def failed(self, nodes: tuple[NodeId, ...], text: str) -> None:
        """Nodes have failed."""
        self._tell(("failed", tuple(map(int, nodes)), text))

    def troubled(self, nodes: tuple[NodeId, ...], problem: str) -> None:
        """Nodes cannot go on for now, or can again."""
        self._tell(("troubled", tuple(map(int, nodes)), problem))

    def cut_off(self, nodes: tuple[NodeId, ...], problem: str) -> None:
        """Nodes were cut off."""
        self._tell(("cut off", tuple(map(int, nodes)), problem))


class Piped(Telling):
    """Passes events on, a batch now and then, as ("events", [event, …]). gone: called where nobody is left to take them."""

    def __init__(self, pipe: Connection, gone: Callable[[], object]) -> None:
        super().__init__(self._put)
        self._pipe, self._gone = pipe, gone
        self._events: list[Event] = []

    def flush(self) -> None:
        """Hand over what there is."""
        events, self._events = self._events, []
        try:
            self._pipe.send(("events", events))
        except OSError:
            self._gone()

    def _put(self, event: Event) -> None:
        if not self._events:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
        self._events.append(event)
