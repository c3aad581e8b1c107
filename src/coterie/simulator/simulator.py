"""Runs a federation in virtual time.

The heap holds plain tuples (time, sequence number, kind, …): a message for some nodes, the end of a job, a timer. Nodes
exist while they have a part: one that only waits to be invited is a row in a dictionary. Jobs are run when somebody needs
a value, when the window is full, or when it is time to show something; never because the clock says so.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from heapq import heappop, heappush, heapreplace
from typing import Any, Protocol, runtime_checkable

from coterie.core.errors import RunError
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.budget import Budget
from coterie.federation.codec import size_bytes
from coterie.federation.delivery import Ticket
from coterie.federation.effects import Event as Happening
from coterie.federation.effects import Flow, Note, Report
from coterie.federation.federation import Federation
from coterie.federation.flows.participate import participate
from coterie.federation.membership import GaveUp
from coterie.federation.messages import Message
from coterie.federation.node import Driver, Node, Refusal
from coterie.federation.state import RoundState
from coterie.simulator.bystanders import Bystanders
from coterie.simulator.checks import Checks
from coterie.simulator.garbage import rarely_collected
from coterie.simulator.heads import Heads
from coterie.simulator.network import Network
from coterie.simulator.recorder import Recorder
from coterie.simulator.resting import Resting
from coterie.simulator.timeline import Timeline
from coterie.simulator.trace import ANSWER, MESSAGE, TIMER, TraceDigest
from coterie.simulator.work import JobGraph

Event = tuple[Any, ...]


class StalledError(RunError):
    """Nothing more can happen, and somebody still waits; says who waits for what."""


@runtime_checkable
class Saved(Protocol):
    """What stands between nodes and the simulator and has a memory."""

    def saved(self) -> Any:
        """What `restored` needs."""

    def restored(self, saved: Any) -> None:
        """Become what `saved` said."""


class Simulator:
    """One run of one federation. A driver: see `federation.node.Driver` for what nodes ask of it.

    driver: whom nodes ask; attackers put somebody between them and the simulator. unheard: whose reports do not count.
    """

    def __init__(
        self,
        federation: Federation,
        initial: Handle,
        jobs: JobGraph,
        *,
        budget: Budget,
        recorder: Recorder,
        network: Network,
        timeline: Timeline | None = None,
    ) -> None:
        self.federation, self.initial, self.jobs = federation, initial, jobs
        self.budget, self.recorder, self.network, self.timeline = budget, recorder, network, timeline or Timeline()
        self.flow: Callable[..., Flow[Any]] = participate
        self.driver: Driver = self
        self.unheard: frozenset[int] = frozenset()
        self.now, self.sequence, self.finished_at = 0.0, 0, 0.0
        self.heap: list[Event] = []
        self.nodes: dict[int, Node] = {}
        self.resting = Resting(federation.nodes, initial)
        self.bystanders = Bystanders(federation)
        self.results: dict[int, RoundState] = {}
        self.trace: Callable[[float, str], None] | None = None
        self.digest: TraceDigest | None = None
        self.events = 0
        self.faults_met: Counter[str] = Counter()
        self.given_up: dict[int, str] = {}
        self.checks: Checks | None = None
        self.heads = Heads()
        self.reports: dict[tuple[int, str], list[Handle]] = {}
        self._problem: BaseException | None = None
        self._kept_rounds, self._newest_only = federation.kept_rounds, federation.schedule.asynchronous

    # ---- running

    def start(self, begin: Iterable[NodeId] | None = None) -> None:
        """Begin: those who hold the initial model (or `begin`) act at once, the others when they are invited."""
        for node in map(NodeId, self.federation.planner.holders(0).tolist()) if begin is None else begin:
            self._rest(self._wake(node))

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Go on until nothing more happens, or `until`, asked before each event, says so."""
        with rarely_collected():
            self._run(until)
        if self._problem is not None:
            raise self._problem
        if not self.heap:
            self._finish()

    def _run(self, until: Callable[[], bool] | None) -> None:
        heap, digest = self.heap, self.digest
        while heap and self._problem is None and not (until is not None and until()):
            event = heap[0]
            kind = event[2]
            if kind == MESSAGE:
                arrivals, place = event[8], event[9] + 1
                if arrivals is not None and place < len(arrivals):
                    heapreplace(heap, (arrivals[place], *event[1:9], place))  # on to the next of its receivers
                else:
                    heappop(heap)
            else:
                heappop(heap)
                if kind == TIMER and not self._awaited(event):
                    continue  # its wait is over, and so it moves no clock
            self.now = event[0]
            self.events += 1
            if digest is not None:
                digest.add(event)
            if kind == MESSAGE:
                self._deliver(event)
                continue
            node = self.nodes.get(event[3])
            if node is not None:
                if kind == ANSWER:
                    node.answer(event[4], event[5], event[6])
                else:
                    node.ring(event[4], event[5])
                self._rest(node)

    def _awaited(self, timer: Event) -> bool:
        node = self.nodes.get(timer[3])
        return node is not None and node.waits_for(timer[4], timer[5])

    def _deliver(self, event: Event) -> None:
        _, _, _, to, sender, message, beyond, ticket, arrivals, place = event
        if arrivals is not None:
            to = (to[place],)
        nodes, last = self.nodes, message.round >= self.budget.rounds and self._last(message, beyond)
        for receiver in to:
            node = nodes.get(receiver)
            if node is None:
                if receiver in self.results or (last and self._adopts(receiver, message)):
                    continue
                node = self._wake(receiver)
            if self.trace is not None:
                self.trace(self.now, f"{receiver} gets {message!r} from {sender}")
            node.deliver(sender, message, beyond, ticket)
            if not node.at_work:
                self._rest(node)

    def _last(self, message: Message, beyond: tuple[NodeId, ...]) -> bool:
        """Whether it is a model after which there is nothing to do, and nobody looks at how nodes take it."""
        return self.trace is None and self.driver is self and self.bystanders.may_take(message, beyond)

    def _adopts(self, me: NodeId, message: Message) -> bool:
        """Whether a node without flows has nothing to do but to take the last model: then it has, and is at its end."""
        federation = self.federation
        state = self.bystanders.adopted(me, self.resting.get(me) or federation.initially(me, self.initial), message)
        if state is None:
            return False
        self.resting.take(me)
        if federation.tests[me]:
            self._report(me, Report(state.round, federation.evaluate(me, state.model, state.round, "own")))
        self._at_head(me, state.round)
        self._at_head(me, None)
        if self.budget.bounded:
            self.budget.spend(self.now, self.timeline.updates, self.timeline.bytes)
        self.finished_at, self.results[me] = self.now, state
        return True

    def _wake(self, number: int) -> Node:
        me = NodeId(number)
        state = self.resting.take(number) or self.federation.initially(me, self.initial)
        node = self.nodes[number] = self.new_node(me)
        node.token = self.sequence << 10  # timers of before it rested must not ring now
        node.start(self.flow, me, self.federation, state)
        node.forgettable = True
        return node

    def new_node(self, me: NodeId) -> Node:
        """A node of this federation under this driver, without a flow yet."""
        return Node(me, self.federation.nodes, self.driver, staleness_rounds=self._kept_rounds, newest_only=self._newest_only)

    def _rest(self, node: Node) -> None:
        if node.resting and self.nodes.get(node.id) is node:
            self.resting.put(node.id, node.root.state)  # type: ignore[union-attr]
            del self.nodes[node.id]

    def _finish(self) -> None:
        self.jobs.flush()
        self.recorder.computed()
        if not self.federation.everyone:
            for node in [node for node in self.nodes.values() if node.uninvited and node.root is not None]:
                self.resting.put(node.id, self.nodes.pop(node.id).root.state)  # type: ignore[union-attr]
        if self.nodes:
            raise StalledError(self.who_waits())
        if self.given_up and not self.results:
            raise GaveUp("nobody could finish:\n" + "\n".join(self.given_up.values()))
        for number in self.heads.finish(self.budget.rounds):
            self._round_over(number)
        self.recorder.computed()

    def who_waits(self) -> str:
        """For every node that has not finished: where each of its flows stands, and what it waits for."""
        lines = [f"nothing more can happen at {self.now:.3f} s, but {len(self.nodes)} nodes still wait:"]
        for node in list(self.nodes.values())[:20]:
            for flow in node.flows.values():
                wait = next((repr(wait) for wait in node.waits if wait.flow is flow), repr(flow.effect))
                lines.append(f"  node {node.id}, {' > '.join(flow.stack())}: {wait}")
        return "\n".join(lines)

    def result(self, node: int) -> RoundState:
        """The last state of any node."""
        found = self.results.get(node) or self.resting.get(node)
        return found or self.federation.initially(NodeId(node), self.initial)

    # ---- what nodes ask for

    def _push(self, time: float, *event: Any) -> None:
        self.sequence += 1
        heappush(self.heap, (time, self.sequence, *event))

    def transmit(self, node: Node, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...], ticket: Ticket) -> None:
        """One entry in the heap for all destinations, which goes from one arrival to the next where they differ."""
        self.carry(node, to, message, beyond, ticket)

    def carry(  # noqa: PLR0917 - those of `transmit`, and one more
        self, node: Node, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...], ticket: Ticket, late_seconds: float = 0.0
    ) -> None:
        """As `transmit`; somebody makes the message arrive so much later."""
        arrivals = self.carried(node, to, message, beyond)
        if isinstance(arrivals, float):
            self._push(arrivals + late_seconds, MESSAGE, to, node.id, message, beyond, ticket, None, 0)
            return
        if late_seconds:
            arrivals = [arrival + late_seconds for arrival in arrivals]
        if len(to) > 1:
            order = sorted(range(len(to)), key=arrivals.__getitem__)
            to, arrivals = tuple([to[place] for place in order]), [arrivals[place] for place in order]
        self._push(arrivals[0], MESSAGE, to, node.id, message, beyond, ticket, arrivals, 0)

    def carried(self, node: Node, to: tuple[NodeId, ...], message: Message, beyond: tuple[NodeId, ...]) -> float | list[float]:
        """When a message that is sent now is there, for all of `to` alike or for each; it is counted and charged."""
        if message.payload is not None and message.payload.value is None and message.__class__ not in self.federation.sizes:
            self.flush()  # its size depends on its value
        size = size_bytes(self.federation.numbers(message), len(beyond))
        if self.trace is not None:
            self.trace(self.now, f"{node.id} sends {message!r} to {', '.join(map(str, to))}" + (f" for {beyond}" if beyond else ""))
        if self.checks is not None:
            self.checks.sent(node.id, message)
        self.recorder.sent(self.now, node.id, to, message, size)
        arrivals = self.network.arrivals(self.now, node.id, to, message, size)
        self.timeline.sent(self.now, node.id, len(to), message, size, left=self.network.left)
        return arrivals

    def submit(self, node: Node, flow: int, token: int, job: Job[Any]) -> None:
        """The job waits in the graph; its answer comes when the device is through."""
        self.answered(self.begun(node, job), node.id, flow, token, job.outputs)

    def begun(self, node: Node, job: Job[Any]) -> float:
        """The device of `node` begins `job`; when it is through."""
        if self.trace is not None:
            self.trace(self.now, f"{node.id} begins {job.function}")
        self.issue(job)
        begin = self.now if self.network.since is None else self.network.since(node.id, self.now)
        self.timeline.worked(job, self.now, begin, begin + job.seconds)
        return begin + job.seconds

    def answered(self, seconds: float, node: int, flow: int, token: int, outputs: Any) -> None:
        """At that time, the answer to what a flow of `node` waits for."""
        self._push(seconds, ANSWER, node, flow, token, outputs)

    def issue(self, job: Job[Any]) -> None:
        """Compute `job` when somebody looks at what comes of it."""
        if self.checks is not None:
            self.checks.issued(job)
        self.recorder.issued(job)
        if self.jobs.add(job):
            self.flush()

    def flush(self) -> None:
        """Compute what waits, and write down what became known."""
        self.jobs.flush()
        self.recorder.computed()

    def refused(self, receiver: NodeId, refusal: Refusal) -> None:
        """A message that did not get as far as `receiver`, who would not have it."""
        self.recorder.refused(self.now, receiver, refusal)

    def after(self, node: Node, seconds: float, flow: int, token: int) -> None:
        """A timer."""
        self._push(self.now + seconds, TIMER, node.id, flow, token)

    def inspect(self, node: Node, handle: Handle) -> Any:  # noqa: ARG002 - part of the driver's interface
        """A barrier: everything that waits is computed."""
        if handle.value is None:
            self.flush()
        return handle.value

    def keep(self, node: Node, state: Any) -> bool | None:
        """Whether the budget allows another round. Nothing is written here: `simulator.cut` writes all nodes at once."""
        if state.__class__ is not RoundState:
            return True
        if self.checks is not None:
            self.checks.kept(node.id, state)
        if self.trace is not None:
            self.trace(self.now, f"{node.id} is at round {state.round}" + ("" if state.held else ", without its model"))
        makes = state.held and (not self.federation.asks or self.federation.holds(node.id, state.round, state.view))
        self._at_head(node.id, state.round if makes else None)
        if self.budget.bounded:
            self.budget.spend(self.now, self.timeline.updates, self.timeline.bytes)
        return self.budget.go_on(state.round, begins=state.held)

    def note(self, node: Node, what: Any) -> None:
        """Reports, notes and refusals go to the recorder; a report that the budget waits for is a barrier."""
        match what:
            case Note():
                self.recorder.reported(self.now, node.id, what.round, what.facts)
            case Report():
                self._report(node.id, what)
                if self.budget.metrics and what.job.args[0] == "common":
                    self._judge(what.round, what.job.outputs.facts)
            case Happening():
                self._happened(node.id, what.what, what.detail)
            case Refusal():
                if self.trace is not None:
                    self.trace(self.now, f"{node.id} refuses {what.message!r} from {what.sender}: {what.problem}")
                self.recorder.refused(self.now, node.id, what)

    def _report(self, node: NodeId, what: Report) -> None:
        self.issue(what.job)
        self.recorder.reported(self.now, node, what.round, what.job.outputs.facts)

    def finished(self, node: Node, result: Any, problem: BaseException | None) -> None:
        """A node's life in this run is over; a failure ends the run."""
        self._at_head(node.id, None)
        if getattr(result, "held", True):
            self.finished_at = self.now  # who comes too late for the last model does not make the run longer
        self.nodes.pop(node.id, None)
        if problem is not None:
            problem.add_note(f"at {self.now:.3f} s of virtual time, node {node.id}")
            if not isinstance(problem, GaveUp):
                self._problem = problem
                return
            self._happened(node.id, "gave up", str(problem))
            self.given_up[node.id] = str(problem)
            return
        self.results[node.id] = result

    def _happened(self, node: NodeId, what: str, detail: str) -> None:
        if self.trace is not None:
            self.trace(self.now, f"{node} {what}: {detail}")
        self.recorder.happened(self.now, node, what, detail)

    # ---- what is known about rounds

    def _at_head(self, node: int, round: int | None) -> None:
        for number in self.heads.move(node, round):
            self._round_over(number)

    def _round_over(self, number: int) -> None:
        self.timeline.round_done(number)
        self.recorder.round_done(self.now, number)

    def beside_saved(self) -> Any:
        """What a simulator of another kind needs for a checkpoint beside all that."""
        return self.driver.saved() if isinstance(self.driver, Saved) else None

    def beside_restored(self, saved: Any) -> None:
        """Know again what `beside_saved` said; before there are nodes."""
        if isinstance(self.driver, Saved):
            self.driver.restored(saved)

    def _judge(self, round: int, facts: Handle) -> None:
        """Once all that made a model of `round` have reported, let the budget see their mean."""
        waiting = self.reports.setdefault((round, "common"), [])
        waiting.append(facts)
        if round == 0 or len(waiting) < self.federation.makers(round, without=self.unheard):
            return
        self.flush()
        del self.reports[round, "common"]
        for metric in sorted(self.budget.metrics):
            values = [handle.value[metric] for handle in waiting if metric in handle.value]
            if values:
                self.budget.observe(round, metric, sum(values) / len(values))
