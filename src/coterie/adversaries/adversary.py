"""Stands between nodes and a simulator: honest nodes it only watches, of attackers it changes what they do and send.

To a node it is the driver; it asks the real one for everything. Rules: what an attacker says of itself is no measurement, so that its
metrics are left out; an honest node is never changed; all it does follows from what it was asked, in order, and from keyed draws.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from coterie.adversaries.coalition import Coalition, Held, Moment
from coterie.adversaries.conduct import Conduct, Sent, changed, contributes
from coterie.adversaries.interference import Interference
from coterie.adversaries.plot import Plot, insiders
from coterie.attacks.jobs import success
from coterie.core import draws
from coterie.core.errors import PeerError
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.delivery import Ticket
from coterie.federation.effects import Note, Report
from coterie.federation.federation import Federation
from coterie.federation.messages import EXCHANGE, Message, Model
from coterie.federation.node import Driver, Node, Refusal
from coterie.federation.state import RoundState, View
from coterie.learning.jobs import Trained

Nodes = tuple[NodeId, ...]


class World(Driver, Protocol):
    """The real driver, a simulator."""

    now: float

    def issue(self, job: Job[Any]) -> None:
        """Compute `job` when somebody looks at what comes of it."""

    def begun(self, node: Node, job: Job[Any]) -> float:
        """A node begins `job`; when it has ended."""

    def answered(self, seconds: float, node: int, flow: int, token: int, outputs: Any) -> None:
        """At that time, the answer to what a flow waits for."""

    def carry(self, node: Node, to: Nodes, message: Message, beyond: Nodes, ticket: Ticket, *, late_seconds: float) -> None:
        """As `transmit`; the message arrives so much later."""

    def refused(self, receiver: NodeId, refusal: Refusal) -> None:
        """Count a message that `receiver` did not take in."""


class Adversary:
    """All attackers of a run. probed: whether the success of attacks is measured."""

    def __init__(self, world: World, federation: Federation, plots: tuple[Plot, ...], seed: int, *, probed: bool) -> None:
        self.world, self.federation, self.plots, self.probed = world, federation, plots, probed
        self.bad = insiders(plots)
        self.coupled = federation.planner.roles.coupled
        self.coalitions = {place: Coalition(plot, federation) for place, plot in enumerate(plots) if plot.on_updates}
        self.conducts = [place for place, plot in enumerate(plots) if isinstance(plot.thing, Conduct)]
        self.watched = any("honest" in plot.knows for plot in plots if plot.on_updates)
        self.starts: dict[int, tuple[Handle | None, Handle]] = {}
        self.past: dict[tuple[int, int, int], list[Message]] = {}
        self.counts: dict[tuple[int, int], int] = {}
        self._remembers = max((plot.thing.remembers for plot in plots if isinstance(plot.thing, Conduct)), default=0)
        self._key = draws.key(seed, "attackers")

    # ---- what nodes ask for

    def submit(self, node: Node, flow: int, token: int, job: Job[Any]) -> None:
        """A job; an attacker's training may be another, and end when it knows what it waits for."""
        if job.function != "train" or not (self.watched or node.id in self.bad):
            self.world.submit(node, flow, token, job)
            return
        corrupt = node.id in self.bad
        if corrupt:
            job = self._trains(node, job)
        ready = self.world.begun(node, job)
        for coalition in self.coalitions.values():
            coalition.learns(node.id, job, ready)
        outputs = job.outputs._replace(facts=Handle({})) if corrupt else job.outputs
        mine = next((coalition for coalition in self.coalitions.values() if coalition.plot.on(node.id, job.round)), None)
        if mine is None:
            self.world.answered(ready, node.id, flow, token, outputs)
        else:
            mine.holds(Held(node.id, flow, token, job.round, tuple(outputs)))
        self._release(view_of(node))

    def _trains(self, node: Node, job: Job[Trained]) -> Job[Trained]:
        start, me = job.inputs[0], node.id
        assert start is not None
        self.starts[me] = (self.starts[me][1] if me in self.starts else None, start)
        for plot in self._conducts(me, job.round):
            assert isinstance(plot.thing, Conduct)
            job = plot.thing.trains(job, Look(self, me))
        return job

    def _release(self, view: View) -> None:
        for coalition in self.coalitions.values():
            found = list(coalition.released(self.world.now, view))
            self._issue(coalition)
            for held, ready, outputs in found:
                self.world.answered(ready, held.node, held.flow, held.token, Trained(*outputs))

    def _issue(self, coalition: Coalition) -> None:
        for job in coalition.jobs():
            self.world.issue(job)

    def transmit(self, node: Node, to: Nodes, message: Message, beyond: Nodes, ticket: Ticket) -> None:
        """A message, of an attacker perhaps another one for each receiver, past those who stand on links."""
        posted = Posted(to, message, beyond, ticket)
        if node.id not in self.bad or message.origin != node.id or not contributes(message):
            self._onto_links(node, posted)
            return
        for one in self._for_each(node, posted):
            for sent, late in self._sent(node.id, one.message):
                self._onto_links(node, one._replace(message=sent, late_seconds=late))

    def _for_each(self, node: Node, posted: "Posted") -> Iterator["Posted"]:
        """What an attacker of a graph sends in place of its model: those that get the same together."""
        message, receivers = posted.message, posted.beyond or posted.to
        mine = next((one for one in self.coalitions.values() if one.plot.on(node.id, message.round)), None)
        handles = []
        if self.coupled and mine is not None and isinstance(message, Model) and message.phase == EXCHANGE:
            handles = mine.models_for(node.id, receivers, Moment(message.round, view_of(node), self.world.now))
            self._issue(mine)
        if not handles:
            yield posted
            return
        alike: dict[int, list[NodeId]] = {}
        for receiver, handle in zip(receivers, handles, strict=True):
            alike.setdefault(handle.number, []).append(receiver)
        by_number = {handle.number: handle for handle in handles}
        for number, some in alike.items():
            one = posted._replace(message=changed(message, payload=by_number[number]))
            yield one._replace(beyond=tuple(some)) if posted.beyond else one._replace(to=tuple(some))

    def _sent(self, me: NodeId, message: Message) -> list[Sent]:
        """What becomes of an attacker's message by its attacks on the protocol, one after the other."""
        found = [Sent(message)]
        for plot in self._conducts(me, message.round):
            found = self._through(plot.thing, found, Look(self, me, self._luck(me, me)))
        if self._remembers:
            kept = self.past.setdefault((me, message.code, message.phase), [])
            if not kept or kept[-1].round != message.round:
                kept.append(message)
            del kept[: -self._remembers - 1]
        return found

    @staticmethod
    def _through(thing: Any, messages: list[Sent], look: "Look") -> list[Sent]:
        return [Sent(after, late + more) for before, late in messages for after, more in thing.sends(before, look)]

    def _onto_links(self, node: Node, posted: "Posted") -> None:
        """Past outsiders, who take each message for each receiver apart."""
        outside = [plot for plot in self.plots if plot.links and plot.first <= posted.message.round <= plot.last]
        met = [peer for peer in posted.to if any((node.id, peer) in plot.links for plot in outside)]
        free = tuple(peer for peer in posted.to if peer not in met)
        if free:
            self._carry(node, posted._replace(to=free))
        for peer in met:
            found = [Sent(posted.message, posted.late_seconds)]
            for thing in (plot.thing for plot in outside if (node.id, peer) in plot.links):
                before, found = found, self._through(thing, found, Look(self, node.id, self._luck(node.id, peer)))
                if isinstance(thing, Interference) and thing.forges and found != before:
                    self.world.refused(peer, Refusal(node.id, posted.message, PeerError("corrupt", "it is not what was sent")))
            for sent, late in found:
                self._carry(node, posted._replace(to=(peer,), message=sent, late_seconds=late))

    def _carry(self, node: Node, posted: "Posted") -> None:
        to, message, beyond, ticket, late = posted
        if late:
            self.world.carry(node, to, message, beyond, ticket, late_seconds=late)
        else:
            self.world.transmit(node, to, message, beyond, ticket)

    def _conducts(self, node: int, round: int) -> Iterator[Plot]:
        return (self.plots[place] for place in self.conducts if self.plots[place].on(node, round))

    def _luck(self, sender: int, receiver: int) -> float:
        """A number in [0, 1): the next draw of this link."""
        count = self.counts[sender, receiver] = self.counts.get((sender, receiver), -1) + 1
        return draws.uniform(draws.mixed(self._key ^ (sender * self.federation.nodes + receiver)), count)

    def note(self, node: Node, what: Any) -> None:
        """Facts; of attackers' own models none. Beside an honest report on the common test set, how well attacks succeed."""
        if (
            node.id in self.bad
            and (self.coupled or (isinstance(what, Report) and what.job.args[0] == "own"))
            and not isinstance(what, Refusal)
        ):
            return
        self.world.note(node, what)
        if self.probed and isinstance(what, Report) and what.job.args[0] == "common":
            (model,) = what.job.inputs
            assert model is not None
            job = success(model, node=node.id, round=what.round)
            self.world.issue(job)
            self.world.note(node, Note(what.round, job.outputs.facts))

    def after(self, node: Node, seconds: float, flow: int, token: int) -> None:
        """A timer."""
        self.world.after(node, seconds, flow, token)

    def keep(self, node: Node, state: Any) -> bool | None:
        """A checkpoint."""
        return self.world.keep(node, state)

    def inspect(self, node: Node, handle: Any) -> Any:
        """A value."""
        return self.world.inspect(node, handle)

    def finished(self, node: Node, result: Any, problem: BaseException | None) -> None:
        """A node's part is over."""
        self.world.finished(node, result, problem)

    # ---- resume

    def saved(self) -> dict[str, Any]:
        """What `restored` needs."""
        return {
            "coalitions": [[place, coalition.saved()] for place, coalition in self.coalitions.items()],
            "starts": [[node, before, start] for node, (before, start) in self.starts.items()],
            "past": [[key, messages] for key, messages in self.past.items()],
            "counts": [[key, count] for key, count in self.counts.items()],
        }

    def restored(self, saved: dict[str, Any]) -> None:
        """Become what `saved` said."""
        for place, coalition in saved["coalitions"]:
            self.coalitions[place].restored(coalition)
        self.starts = {node: (before, start) for node, before, start in saved["starts"]}
        self.past, self.counts = dict(saved["past"]), dict(saved["counts"])


class Posted(NamedTuple):
    """A message on its way to some."""

    to: Nodes
    message: Message
    beyond: Nodes
    ticket: Ticket
    late_seconds: float = 0.0


class Look:
    """What an attacker looks back on; see `conduct.Occasion`."""

    def __init__(self, adversary: Adversary, node: int, luck: float = 0.0) -> None:
        self._adversary, self._node, self.luck = adversary, node, luck

    def before(self) -> Handle | None:
        """The published vector that its last training but this one began from."""
        return self._adversary.starts[self._node][0]

    def earlier(self, message: Message, rounds: int) -> Message | None:
        """What it sent of that kind and phase so many of its messages ago."""
        kept = self._adversary.past.get((self._node, message.code, message.phase), [])
        return kept[-rounds] if len(kept) >= rounds else None


def view_of(node: Node) -> View:
    """The membership that the node acts in."""
    root = node.root
    state = None if root is None else root.state
    return state.view if isinstance(state, RoundState) else View()
