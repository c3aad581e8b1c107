"""A federation in virtual time whose nodes fail and whose links break.

Nodes are those of the runtime: they keep an outbox, acknowledge what a checkpoint of theirs holds, and come back from that checkpoint as
another incarnation. A message travels on a stream from one node to another, which is whole or broken: what is under way when it breaks
is lost, and when it is there again its sender says hello and repeats what was not acknowledged.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from heapq import heapify, heappop
from math import inf, prod
from typing import Any

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.environments.faults import ClockSkew, Crash, FaultKind, FullDisk, Pause, Slow
from coterie.federation import journal
from coterie.federation.budget import Budget
from coterie.federation.effects import Checkpoint, Report
from coterie.federation.flows.participate import FLOWS
from coterie.federation.messages import Hello
from coterie.federation.node import Node
from coterie.federation.state import RoundState
from coterie.scenario.setup import Setup
from coterie.simulator.carrying import SimulatorOfStreams
from coterie.simulator.injections import Injections, Occasion, injections_of
from coterie.simulator.queues import network_of
from coterie.simulator.recorder import Recorder
from coterie.simulator.simulator import Event, Simulator, StalledError
from coterie.simulator.streams import Stream
from coterie.simulator.timeline import Timeline
from coterie.simulator.trace import ANSWER, BEGIN, CONNECT, END, MESSAGE, TIMER
from coterie.simulator.work import JobGraph

STALL_SECONDS = 600.0
"""If for so long nothing comes but heartbeats, and nothing else is under way, nobody will ever go on."""
QUIET_SECONDS = 60.0
HEARTBEAT = "heartbeat"
"""The name of the flow whose timers and hellos are no progress."""


class FaultySimulator(SimulatorOfStreams):
    """A simulator with faults. All nodes live from the beginning, none of them rests."""

    def __init__(self, *arguments: Any, injections: Injections, **settings: Any) -> None:
        super().__init__(*arguments, injections=injections, **settings)
        self.kept: dict[int, dict[str, Any]] = {}
        self.lives: dict[int, int] = {}
        self.held: dict[int, list[Event]] = {}
        self.stall_seconds = STALL_SECONDS
        self._rounds_awaited = {number for number, one in enumerate(injections.wanted) if one.at_round is not None}
        self._reported: set[tuple[int, int, str]] = set()
        self._over, self._progress = False, 0.0

    # ---- running

    def start(self, begin: Iterable[NodeId] | None = None) -> None:
        """All nodes begin, and the first faults are due."""
        for which, opens, closes in self.injections.firsts():
            self._schedule(which, opens, closes)
        for node in map(NodeId, range(self.federation.nodes)) if begin is None else begin:
            self._begin(node)

    def _begin(self, me: NodeId) -> None:
        """A life of a node: from its checkpoint, or from the first round."""
        self.lives[me] = self.lives.get(me, 0) + 1
        node = self.nodes[me] = self.new_node(me)
        kept = self.kept.get(me)
        if kept is None:
            node.start(self.flow, me, self.federation, self.federation.initially(me, self.initial))
            return
        flows = FLOWS | {self.flow.__name__: self.flow}

        def build(name: str, state: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
            return flows[name], (me, self.federation, state)

        journal.load(node, kept, build, again=True)

    def new_node(self, me: NodeId) -> Node:
        """A node that keeps an outbox, in its present life."""
        federation = self.federation
        newest = federation.schedule.asynchronous
        return Node(
            me,
            federation.nodes,
            self.driver,
            incarnation=self.lives[me],
            durable=True,
            staleness_rounds=federation.kept_rounds,
            newest_only=newest,
        )

    def _rest(self, node: Node) -> None:
        """A node that may fail keeps what it is owed."""

    def _run(self, until: Callable[[], bool] | None) -> None:
        heap, digest = self.heap, self.digest
        while heap and self._problem is None and not self._over and not (until is not None and until()):
            event = heappop(heap)
            kind = event[2]
            if kind == MESSAGE and event[9] != self.streams[event[4], event[3][0]].life:
                self._say(f"lost: {event[5]!r} from {event[4]} to {event[3][0]}")
                continue
            if kind == TIMER and not self._awaited(event):
                continue
            who = event[3][0] if kind == MESSAGE else event[3]
            if who in self.held and kind in {MESSAGE, ANSWER, TIMER}:
                self.held[who].append(event)
                continue
            self.now = event[0]
            self.events += 1
            if digest is not None:
                digest.add(event)
            self._happen(kind, event)
            self._look_for_progress(kind, event)
        if self._over:
            heap.clear()

    def _happen(self, kind: int, event: Event) -> None:
        if kind == MESSAGE:
            self._deliver(event)
        elif kind in {ANSWER, TIMER}:
            node = self.nodes.get(event[3])
            if node is not None:
                (node.answer if kind == ANSWER else node.ring)(*event[4:])
        elif kind == BEGIN:
            self._fault_begins(Occasion(*event[3:6]), event[6])
        elif kind == END:
            self._fault_ends(Occasion(*event[3:6]))
        elif kind == CONNECT:
            self._connected(*event[3:])
        else:
            self._broken(*event[3:])

    def _deliver(self, event: Event) -> None:
        _, _, _, (receiver,), sender, message, beyond, ticket, _, _ = event
        node = self.nodes[receiver]
        if self.trace is not None:
            self.trace(self.now, f"{receiver} gets {message!r} from {sender}")
        node.deliver(sender, message, beyond, ticket)

    def _look_for_progress(self, kind: int, event: Event) -> None:
        """Heartbeats go on for ever, and so nobody would notice that nothing else does."""
        if not self._idle(kind, event):
            self._progress = self.now
        elif self.now - self._progress > QUIET_SECONDS and all(self._idle(other[2], other) for other in self.heap):
            if self._only_uninvited():
                self._over = True
            elif self.now - self._progress > self.stall_seconds:
                raise StalledError(self.who_waits())

    def _idle(self, kind: int, event: Event) -> bool:
        if kind == MESSAGE:
            return event[5].__class__ is Hello
        if kind != TIMER:
            return kind == CONNECT
        node = self.nodes.get(event[3])
        flow = None if node is None else node.flows.get(event[4])
        return flow is None or flow.token != event[5] or flow.name == HEARTBEAT

    def _finish(self) -> None:
        for node in [node for node in self.nodes.values() if not node.flows]:
            del self.nodes[node.id]
        super()._finish()

    def _unfinished(self) -> list[int]:
        """Who has not finished, but may."""
        over = self.results.keys() | self.given_up.keys()
        return [me for me in range(self.federation.nodes) if me not in over and not self._gone(me)]

    def _only_uninvited(self) -> bool:
        """Whether those that have not finished are only waiting to be invited, which need not happen."""
        return not self.federation.everyone and all(me in self.nodes and self.nodes[me].uninvited for me in self._unfinished())

    def _gone(self, me: int) -> bool:
        """Whether a node is down for good."""
        return me not in self.nodes and self.active.for_good(me, Crash)

    def finished(self, node: Node, result: Any, problem: BaseException | None) -> None:
        """It stays to repeat what it has sent, for as long as anybody may ask for it."""
        super().finished(node, result, problem)
        if problem is None or node.id in self.given_up:
            self.nodes[node.id] = node
        self._over = not self._unfinished()

    def result(self, node: int) -> RoundState:
        """The last state of any node; of one that is down for good, the last that it kept."""
        kept = self.kept.get(node)
        if node in self.results or kept is None:
            return super().result(node)
        return next((row[4] for row in kept["flows"] if row[2] is None and isinstance(row[4], RoundState)), super().result(node))

    # ---- what nodes ask for

    def begun(self, node: Node, job: Job[Any]) -> float:
        """A slow node takes longer."""
        if self.active.hits("slow", node.id):
            job.seconds *= prod(kind.factor for kind in self.active.on(node.id, Slow))
        return super().begun(node, job)

    def after(self, node: Node, seconds: float, flow: int, token: int) -> None:
        """By the node's own clock."""
        if self.active.hits("clock-skew", node.id):
            seconds /= prod(kind.rate for kind in self.active.on(node.id, ClockSkew))
        super().after(node, seconds, flow, token)

    def keep(self, node: Node, state: Any) -> bool | None:
        """The whole node is kept, as on a disk; where that is full it waits until there is room."""
        if self.active.hits("full-disk", node.id):
            return None
        self.kept[node.id] = journal.save(node)
        if self._rounds_awaited and state.__class__ is RoundState and state.held:
            self._round_begins(state.round)
        return super().keep(node, state)

    def note(self, node: Node, what: Any) -> None:
        """What a node reports once more after it has come back is known."""
        if what.__class__ is Report:
            seen = (int(node.id), what.round, what.job.args[0])
            if seen in self._reported:
                return
            self._reported.add(seen)
        super().note(node, what)

    # ---- faults

    def _schedule(self, which: Occasion, opens: float, closes: float) -> None:
        self._push(opens, BEGIN, *which, closes)

    def _round_begins(self, number: int) -> None:
        wanted = self.injections.wanted
        for one in [one for one in sorted(self._rounds_awaited) if number >= (wanted[one].at_round or 0)]:
            self._rounds_awaited.discard(one)
            closes = min(self.now + wanted[one].for_seconds, self.injections.until_seconds)
            for place in range(self.injections.places(one)):
                self._schedule(Occasion(one, place, 0), self.now, closes)

    def _fault_begins(self, which: Occasion, closes: float) -> None:
        self.active.begin(which, closes)
        kind, (name, hit) = self.active.kind(which), self.active.named(which)
        if closes < inf:
            self._push(closes, END, *which)
        if kind.hits != "messages":
            self.faults_met[name] += 1
            self.recorder.fault(self.now, name, hit, closes)
            self._say(f"{name} of {', '.join(map(str, hit))}")
        if kind.hits == "links":
            self._relink()
        elif kind.hits == "nodes":
            for node in hit:
                self._strike(kind, node)
        self._over = not self._unfinished()

    def _strike(self, kind: FaultKind, node: NodeId) -> None:
        if isinstance(kind, Crash):
            if kind.disk == "lost":
                self.kept.pop(node, None)
                self._at_head(node, None)
            if node in self.nodes:
                self._stop(self.nodes[node])
            self._relink()
        elif isinstance(kind, Pause):
            if node not in self.held:
                self.held[node] = []
                lasts = self.active.longest(node) - self.now
                if lasts < inf:
                    self._stretch(node, lambda at: at + lasts)
        elif isinstance(kind, Slow):
            self._stretch(node, lambda at: self.now + (at - self.now) * kind.factor)

    def _fault_ends(self, which: Occasion) -> None:
        self.active.end(which)
        kind, (name, hit) = self.active.kind(which), self.active.named(which)
        if kind.hits != "messages":
            self._say(f"{name} of {', '.join(map(str, hit))} is over")
        if kind.hits == "links":
            self._relink()
        elif kind.hits == "nodes":
            for node in hit:
                self._recover(kind, name, node)
        further = Occasion(which.number, which.place, which.turn + 1)
        found = self.injections.occasion(further, self.now)
        if found is not None:
            self._schedule(further, *found)

    def _recover(self, kind: FaultKind, name: str, node: NodeId) -> None:
        if isinstance(kind, Slow):
            self._stretch(node, lambda at: self.now + (at - self.now) / kind.factor)
        if self.active.hits(name, node):
            return
        if isinstance(kind, Pause):
            for event in self.held.pop(node):
                self._push(self.now, *event[2:])
        elif isinstance(kind, FullDisk) and node in self.nodes:
            for flow in list(self.nodes[node].flows.values()):
                if flow.number in self.nodes[node].flows and isinstance(flow.effect, Checkpoint):  # one may have ended others
                    self.nodes[node].perform_again(flow, flow.effect)
        elif isinstance(kind, Crash):
            self._relink()
            self._begin(node)

    def _stop(self, node: Node) -> None:
        """Everything since the last checkpoint is gone."""
        del self.nodes[node.id]
        self.results.pop(node.id, None)
        self.held.get(node.id, []).clear()
        for flow in reversed(list(node.flows.values())):
            flow.coroutine.close()
        node.flows.clear()

    def _stretch(self, node: int, moved: Callable[[float], float]) -> None:
        """What a node computes ends at another time."""
        for place, event in enumerate(self.heap):
            if event[2] == ANSWER and event[3] == node:
                self.heap[place] = (moved(event[0]), *event[1:])
        heapify(self.heap)

    # ---- resume

    def beside_saved(self) -> Any:
        """What faults have come to."""
        return {
            "active": self.active.saved(),
            "counts": list(self.faults_met.items()),
            "kept": list(self.kept.items()),
            "lives": list(self.lives.items()),
            "streams": [[*link, one.saved()] for link, one in self.streams.items()],
            "held": list(self.held.items()),
            "awaited": sorted(self._rounds_awaited),
            "progress": self._progress,
            "reported": sorted(self._reported),
        }

    def beside_restored(self, saved: Any) -> None:
        """Become what `beside_saved` said."""
        self.active.restored(saved["active"])
        self.faults_met = Counter(dict(saved["counts"]))
        self.kept, self.lives, self.held = dict(saved["kept"]), dict(saved["lives"]), dict(saved["held"])
        for sender, receiver, (life, count, last, up, blocked) in saved["streams"]:
            self.streams[sender, receiver] = Stream(life, count, last, up=up, blocked=blocked)
        self._rounds_awaited, self._progress = set(saved["awaited"]), saved["progress"]
        self._reported = set(saved["reported"])


def simulator_of(
    setup: Setup, initial: Handle, jobs: JobGraph, *, budget: Budget, recorder: Recorder, timeline: Timeline | None = None
) -> Simulator:
    """The simulator of a scenario, with faults where it has some. Raises ScenarioError."""
    injections = injections_of(setup)
    make = Simulator if injections is None else partial(FaultySimulator, injections=injections)
    return make(setup.federation, initial, jobs, budget=budget, recorder=recorder, network=network_of(setup), timeline=timeline)
