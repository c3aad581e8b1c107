"""A participant without IO: it runs flows and answers their effects, under whatever driver.

    driver                                    node
    ------                                    ----
    node.start(flow, me, federation, state)   runs the flow until it waits
    node.deliver(sender, message)             mailbox; perhaps closes a gather, and the flow goes on
    node.answer(flow, token, outputs)         a job's time is over
    node.ring(flow, token)                    a timer
                          <- transmit, submit, after, keep, note (see `Driver`)

Rules. Every answer carries the token of the wait it is for, and tokens are never used twice, also across incarnations: a
late answer finds nobody. A child flow dies with its parent; its failure reaches the parent at its await. Messages stay in
the mailbox until the gather that takes them closes. The journal of a flow is its last checkpoint and the answers since.
"""

from collections.abc import Iterable
from typing import Any

from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.federation import answers
from coterie.federation.delivery import NO_TICKET, Delivery, Ticket
from coterie.federation.driver import Driver, Refusal
from coterie.federation.effects import (
    Cancel,
    Cancelled,
    Checkpoint,
    Do,
    Effect,
    Event,
    FlowFailed,
    Gather,
    Inspect,
    Note,
    Refuse,
    Report,
    Send,
    Sleep,
    Spawn,
)
from coterie.federation.flow import PENDING, Running
from coterie.federation.messages import EXCHANGE, UPDATES, Goodbye, Hello, Message, Model, Parcel
from coterie.federation.state import RoundState
from coterie.federation.waits import Waits

__all__ = ["PENDING", "Driver", "Node", "Refusal"]

AT_REST = frozenset({Gather, Checkpoint})
"""Effects at which a flow may be forgotten."""
_TOKENS_PER_INCARNATION = 1 << 40


class Node(Waits):
    """One participant: its flows, its mailbox, its outbox (when `durable`) and whom it holds to be absent.

    at_work: whether it holds a round's model, or takes no part in rounds: such a node does not rest.
    forgettable: whether the driver, as soon as it is called no more, forgets a node that rests; it then need not begin to wait.
    """

    __slots__ = (
        "_flow_number", "at_work", "delivery", "driver", "flows", "forgettable", "id", "incarnation", "journal", "newest_only",
        "staleness_rounds", "token"
    )  # fmt: skip

    def __init__(
        self,
        me: NodeId,
        nodes: int,
        driver: Driver,
        *,
        incarnation: int = 0,
        durable: bool = False,
        journal: bool = True,
        staleness_rounds: float = 0,
        newest_only: bool = False,
    ) -> None:
        self.id, self.driver, self.incarnation, self.journal = me, driver, incarnation, journal
        self.staleness_rounds, self.newest_only = staleness_rounds, newest_only
        super().__init__(nodes)
        self.delivery = Delivery(incarnation) if durable else None
        self.flows: dict[int, Running] = {}
        self.token = incarnation * _TOKENS_PER_INCARNATION
        self.at_work, self.forgettable = True, False
        self._flow_number = 0

    # ---- what a driver calls

    def start(self, function: Any, *arguments: Any) -> int:
        """Run a flow, as the node's root if it is the first; answers its number."""
        flow = self._new_flow(function, arguments, None)
        self._step(flow, None)
        return flow.number

    def deliver(self, sender: NodeId, message: Message, beyond: tuple[NodeId, ...] = (), ticket: Ticket = NO_TICKET) -> None:
        """A neighbour handed over `message`, which must still reach `beyond` (or is for us)."""
        if self.delivery is not None and not self._arrived(self.delivery, sender, message, ticket):
            return
        if self.presence.listens and self.presence.hear(sender, message):
            self.recount()
        if beyond:
            further = tuple(node for node in beyond if node != self.id)
            if further:
                self.take_in(sender, Parcel(message, further))
            if len(further) == len(beyond):
                return
        if message.__class__ is not Hello:
            self.take_in(sender, message)

    def _arrived(self, delivery: Delivery, sender: NodeId, message: Message, ticket: Ticket) -> bool:
        """What a ticket says to a node with an outbox; False where its message is none to take in."""
        before = delivery.link(sender).incarnation
        if not delivery.arrived(sender, ticket):
            self._refuse(sender, message, PeerError("repeat"))
            if 0 < ticket[2] < delivery.link(sender).since:
                self._tell([sender])  # it speaks to a life of ours that we know nothing of, and is to begin anew
            return False
        if 0 < before < ticket[0]:
            self.repeat(sender)  # it was restarted and has lost what it had not kept
        if not self.flows:
            self._let_go()
        return True

    def take_in(self, sender: NodeId, message: Message) -> None:
        """Put a message for this node into its mailbox, where its flows find it, or refuse it."""
        try:
            if not self.mailbox.put(message):
                return
        except PeerError as problem:
            self._refuse(sender, message, problem)
            return
        if self.newest_only and message.__class__ is Model and message.phase in {UPDATES, EXCHANGE}:
            self._supersede(message)
        for wait in self.waits:
            if wait.offer(message):
                if not wait.missing or wait.counted >= wait.effect.need:  # most messages change nothing yet
                    self._settle(wait)
                break
        kind = message.__class__
        if kind is Goodbye or kind is Parcel:
            ended = message.content if isinstance(message, Parcel) else message
            if ended.__class__ is Goodbye and ended.term >= self.presence.terms.get(ended.origin, 0):
                self._depart({ended.origin: ended.round})

    def answer(self, flow: int, token: int, value: Any) -> None:
        """The answer to what `flow` waited for under `token`; ignored if it no longer does."""
        running = self.flows.get(flow)
        if running is not None and running.token == token:
            if value.__class__ is tuple:  # it was read from a checkpoint
                value = running.effect.job.outputs.__class__(*value)  # type: ignore[union-attr]
            self._resume(running, value)

    def ring(self, flow: int, token: int) -> None:
        """A timer of `flow` under `token`."""
        running = self.flows.get(flow)
        if running is None or running.token != token:
            return
        if running.effect.__class__ is Gather:
            self._close(next(wait for wait in self.waits if wait.flow is running))
        else:
            self._resume(running, None)

    def waits_for(self, flow: int, token: int) -> bool:
        """Whether anything still waits under this token."""
        running = self.flows.get(flow)
        return running is not None and running.token == token

    def repeat(self, peer: NodeId) -> None:
        """`peer` is (again) there: send it once more what it has not acknowledged."""
        if self.delivery is not None:
            for ticket, message, beyond in self.delivery.repeats(peer):
                self.driver.transmit(self, (peer,), message, beyond, ticket)

    def greet(self, peer: NodeId) -> None:
        """Tell `peer`, to which there is a link (again), what is kept here of it."""
        if self.delivery is not None:
            self._tell([peer])

    def leave_out(self, peers: Iterable[NodeId]) -> None:
        """The driver has cut `peers` off: nothing that waits here waits for them, now or later."""
        self._depart(dict.fromkeys(sorted(peers), 0))

    def perform_again(self, flow: Running, effect: Effect[Any]) -> None:
        """Ask once more for what a flow waited at before the node was restarted."""
        value = self._perform(flow, effect)
        if value is not PENDING:
            self._resume(flow, value)

    @property
    def resting(self) -> bool:
        """Whether it is only waiting to be invited, and forwards nothing: nothing is lost by forgetting all but its state."""
        return self._idle and self.uninvited

    @property
    def _idle(self) -> bool:
        """Whether nothing would be lost if a flow that only waits, the only one, were forgotten now."""
        return len(self.flows) == 1 and self.mailbox.empty

    @property
    def uninvited(self) -> bool:
        """Whether its rounds wait for a model to begin with; what lies in its mailbox is for nobody then."""
        root = self.flows.get(1)
        return root is not None and root.effect.__class__ in AT_REST and root.state.__class__ is RoundState and not root.state.held

    @property
    def root(self) -> Running | None:
        """The first flow that was started, while it runs."""
        return self.flows.get(1)

    # ---- the trampoline

    def _step(self, flow: Running, value: Any, error: BaseException | None = None) -> None:
        coroutine = flow.coroutine
        while True:
            try:
                effect = coroutine.send(value) if error is None else coroutine.throw(error)
            except StopIteration as stop:
                return self._end(flow, stop.value, None)
            except Cancelled:
                return self._end(flow, None, None)
            except Exception as problem:  # noqa: BLE001 - the parent, or the driver, gets it
                return self._end(flow, None, problem)
            error = None
            value = self._perform(flow, effect)
            if value is PENDING:
                flow.effect = effect
                return None
            if flow.answers is not None:
                flow.answers.append(value)

    def _perform(self, flow: Running, effect: Effect[Any]) -> Any:
        kind = effect.__class__
        if kind is Send:
            to_itself = self._send(effect)  # type: ignore[arg-type]
            return PENDING if to_itself and self._ended(flow) else None
        if kind is Gather:
            return self._gather(flow, effect)  # type: ignore[arg-type]
        if kind is Do:
            self.driver.submit(self, flow.number, self._next_token(flow), effect.job)  # type: ignore[attr-defined]
            return PENDING
        if kind is Checkpoint:
            go_on = self._checkpoint(flow, effect.state, light=effect.light)  # type: ignore[attr-defined]
            return PENDING if go_on and self.forgettable and effect.waits and self._idle else go_on  # type: ignore[attr-defined]
        if kind is Note or kind is Report or kind is Event:
            return self.driver.note(self, effect)
        return self._perform_rare(flow, effect)

    def _perform_rare(self, flow: Running, effect: Effect[Any]) -> Any:
        match effect:
            case Inspect():
                return self.driver.inspect(self, effect.handle)
            case Sleep():
                self.driver.after(self, effect.seconds, flow.number, self._next_token(flow))
                return PENDING
            case Refuse():
                self._refuse(effect.message.origin, effect.message, PeerError(effect.reason, effect.detail))
                return None
            case Spawn():
                child = self._new_flow(effect.function, effect.arguments, flow)
                self._step(child, None)
                return child.number
            case Cancel():
                self.cancel(effect.child)
                return None
        value = answers.perform(self, flow, effect)
        return PENDING if self._ended(flow) else value

    def _ended(self, flow: Running) -> bool:
        """Whether what `flow` asked for has ended it: another flow of the node went on, and that was its parent, or began all anew."""
        return self.flows.get(flow.number) is not flow

    def _resume(self, flow: Running, value: Any) -> None:
        flow.effect = None
        flow.token = -1
        if flow.answers is not None:
            flow.answers.append(value)
        self._step(flow, value)

    def _after(self, seconds: float, flow: Running, token: int) -> None:
        self.driver.after(self, seconds, flow.number, token)

    def _next_token(self, flow: Running) -> int:
        self.token += 1
        flow.token = self.token
        return self.token

    def _new_flow(self, function: Any, arguments: tuple[Any, ...], parent: Running | None) -> Running:
        self._flow_number += 1
        flow = Running(self._flow_number, function, arguments, parent, journal=self.journal)
        self.flows[flow.number] = flow
        return flow

    # ---- effects

    def _send(self, effect: Send) -> bool:
        """Answers whether it was for a flow of the node itself."""
        message, to = effect.message, effect.to
        message.term = self.mailbox.stamp
        if self.newest_only and message.origin != self.id:
            self.mailbox.forget(message)  # it is handed on, and may come by once more
        to_itself = self.id in to
        if to_itself:
            to = tuple(peer for peer in to if peer != self.id)
            self.take_in(self.id, message)  # to another flow of its own
        if self.delivery is None:
            if to:
                self.driver.transmit(self, to, message, effect.beyond, NO_TICKET)
            return to_itself
        for peer in to:
            if message.__class__ is Hello:
                ticket = self.delivery.ticket(self.delivery.link(peer), 0)
            else:
                ticket = self.delivery.post(peer, message, effect.beyond, newest_only=peer in self.presence.suspected)
            self.driver.transmit(self, (peer,), message, effect.beyond, ticket)
        return to_itself

    def _checkpoint(self, flow: Running, state: Any, *, light: bool) -> Any:
        if flow.answers is not None:
            if flow.state is None:
                flow.prologue = flow.answers
            flow.answers = []
        flow.state = state
        if light:
            return True
        if state.__class__ is RoundState:
            self.at_work = state.held or flow.parent is not None
            floor, mailbox = state.round - self.staleness_rounds, self.mailbox
            mailbox.raise_floor(floor)
            if state.view.term > mailbox.stamp:
                mailbox.begin_term(state.view.term, floor)
        go_on = self.driver.keep(self, state)
        if go_on is None:
            return PENDING
        if self.delivery is not None:
            self._tell(self.delivery.owed())  # kept one checkpoint ago, and nothing went there since
            self.delivery.kept()
            if self.staleness_rounds and state.__class__ is RoundState and state.held:
                self.delivery.outdate(state.round)
        return go_on

    def _tell(self, peers: list[NodeId]) -> None:
        """Acknowledge by a message that says nothing else."""
        assert self.delivery is not None
        for peer in peers:
            ticket = self.delivery.ticket(self.delivery.link(peer), 0)
            self.driver.transmit(self, (peer,), Hello(0, self.id, attempt=self.incarnation), (), ticket)

    def _let_go(self) -> None:
        """A node that has finished needs nothing any more: whatever it has is acknowledged."""
        if self.delivery is not None:
            self.delivery.kept()
            self._tell(self.delivery.owed())

    def _refuse(self, sender: NodeId, message: Message, problem: PeerError) -> None:
        self.driver.note(self, Refusal(sender, message, problem))

    # ---- ending

    def begin_anew(self, state: RoundState) -> None:
        """All flows end, and the first begins again from `state`; what they had asked for finds nobody, since tokens go on."""
        root = self.flows[1]
        for flow in reversed(list(self.flows.values())):
            flow.coroutine.close()
        self.flows.clear()
        self.waits.clear()
        self.mailbox.begin_term(state.view.term, state.round - self.staleness_rounds)
        self._flow_number = 0
        me, federation, *_ = root.arguments
        self.start(root.function, me, federation, state)

    def cancel(self, number: int) -> None:
        """End a flow and its children at once."""
        flow = self.flows.get(number)
        if flow is None:
            return
        self._step(flow, None, Cancelled())
        if number in self.flows:
            raise RuntimeError(f"flow {flow.name} of node {self.id} awaited an effect while it was being cancelled")

    def _end(self, flow: Running, result: Any, problem: Exception | None) -> None:
        del self.flows[flow.number]
        self.waits = [wait for wait in self.waits if wait.flow is not flow]
        for child in [other for other in self.flows.values() if other.parent is flow]:
            self.cancel(child.number)
        if flow.parent is None:
            self._let_go()
            self.driver.finished(self, result, problem)
        elif problem is not None:
            problem.add_note(f"in flow {flow.name} of node {self.id}")
            failure = FlowFailed(f"flow {flow.name} of node {self.id} failed: {problem}")
            failure.__cause__ = problem
            self.waits = [wait for wait in self.waits if wait.flow is not flow.parent]
            flow.parent.effect, flow.parent.token = None, -1
            self._step(flow.parent, None, failure)
