"""One node under a driver that does nothing by itself."""

from dataclasses import dataclass, field
from typing import Any

from coterie.core.ids import NodeId
from coterie.federation.effects import Gather
from coterie.federation.messages import Update
from coterie.federation.node import Node, Refusal

ME, ANN, BOB, CAT = (NodeId(i) for i in range(4))


@dataclass
class Bench:
    """A driver that writes everything down and does nothing by itself."""

    sent: list[Any] = field(default_factory=list)
    timers: list[Any] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)
    result: Any = None
    problem: BaseException | None = None
    over: bool = False

    def transmit(self, node, to, message, beyond, ticket):
        self.sent.append((to, message, beyond, ticket))

    def submit(self, node, flow, token, job):
        raise AssertionError("no jobs here")

    def after(self, node, seconds, flow, token):
        self.timers.append((seconds, flow, token))

    def keep(self, node, state):
        self.kept.append(state)
        return True

    def inspect(self, node, handle):
        return handle.value

    def note(self, node, what):
        self.notes.append(what)

    def finished(self, node, result, problem):
        self.over, self.result, self.problem = True, result, problem

    def refusals(self) -> list[str]:
        return [note.problem.reason for note in self.notes if isinstance(note, Refusal)]


def node_running(flow, *, driver=None, **settings) -> tuple[Node, Bench]:
    driver = driver or Bench()
    node = Node(ME, 4, driver, **settings)
    node.start(flow, ME, None, None)
    return node, driver


def gathering(**terms):
    async def flow(me, federation, state):
        return await Gather(Update, 0, 0, frozenset((ANN, BOB, CAT)), **terms)

    return flow


def origins(messages) -> list[int]:
    return [message.origin for message in messages]
