"""What must hold in every run, looked at while it goes on: by tests always, in a run where `--checked` asks for it.

What is aggregated: updates that were trained in the round, or within the bound on staleness, by nodes that were trainers then, and
none of them twice on the way to one model, in the order of their makers. What an algorithm's server carries on goes with the model, also
to another aggregator. What is mixed: models that their makers had in that round, with weights that sum to one.
Who acts: no two aggregators in one round of one term, where there is one. What a look costs follows from jobs and checkpoints, not from
messages: models and updates are known by their handles.
"""

from collections import deque
from typing import Any, NamedTuple

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.federation import Federation
from coterie.federation.messages import EXCHANGE, Message, Model
from coterie.federation.schedule import FOREVER
from coterie.federation.state import RoundState, View

HISTORY = 64
"""So many models back it is looked whether an update was used before."""
TOLERANCE = 1e-6


class Violation(AssertionError):
    """The protocol did what it must not do: a bug of ours."""


class Origin(NamedTuple):
    """Where an update comes from."""

    node: int
    round: int


class Ancestry:
    """How a model was made: of which one before it, with which updates; server: the handle of the server's state beside it."""

    __slots__ = ("before", "server", "updates")

    def __init__(self, before: "Ancestry | None", updates: frozenset[Origin], server: int | None) -> None:
        self.before, self.updates, self.server = before, updates, server


class Checks:
    """Looks on beside one run of `federation`. Whatever it does not know from before a run was resumed, it lets pass.

    strangers: whether some nodes send what was not trained or made by the protocol, as attackers do; that, too, passes.
    """

    def __init__(self, federation: Federation, *, strangers: bool = False) -> None:
        self.federation, self.strangers = federation, strangers
        self.looked = 0
        self._trained: dict[int, Origin] = {}
        self._models: dict[int, Ancestry] = {}
        self._sent: dict[tuple[int, int], set[int]] = {}
        self._firsts: dict[int, tuple[int, int]] = {}
        self._acted: dict[tuple[int, int], int] = {}
        self._views: dict[int, View] = {}
        self._seen_views = {View()}
        self.begin_here()
        self._order: deque[tuple[dict[Any, Any], Any]] = deque()
        self._most = 50 * federation.nodes + 10_000
        roles = federation.planner.roles
        self._alone = not roles.coupled and roles.aggregator.at_a_time == 1

    def begin_here(self) -> None:
        """What is there by now may be of before, and unknown."""
        self._known_from = Handle().number

    # ---- what a simulator tells

    def kept(self, node: NodeId, state: Any) -> None:
        """A node is at a checkpoint."""
        if state.__class__ is RoundState and self._views.get(node) is not state.view:
            self._views[node] = state.view
            self._seen_views.add(state.view)

    def sent(self, sender: NodeId, message: Message) -> None:
        """A message is on its way."""
        if message.__class__ is Model and message.phase == EXCHANGE and message.payload is not None:
            key = (message.payload.number, int(message.origin))
            known = self._sent.get(key)
            if known is None:
                self._firsts.setdefault(message.payload.number, (int(message.origin), message.round))
                self._remember(self._sent, key, {message.round})
            elif message.origin == sender:
                known.add(message.round)

    def issued(self, job: Job[Any]) -> None:
        """A job was asked for; raises Violation."""
        if job.function == "train":
            self._remember(self._trained, job.outputs.update.number, Origin(job.node, job.round))
        elif job.function == "aggregate":
            self._aggregated(job)
        elif job.function == "shift":
            self._shifted(job)
        elif job.function == "mix":
            self._mixed(job)

    # ---- what must hold

    def _aggregated(self, job: Job[Any]) -> None:
        weights, origins = job.args[0], job.args[1]
        used = [self._update(job, handle, origin) for handle, origin in zip(job.inputs[3 : 3 + len(origins)], origins, strict=True)]
        if any(not weight >= 0.0 for weight in weights):
            raise self._violation(job, f"weighs updates with {weights}")
        if list(origins) != sorted(origins):
            raise self._violation(job, f"aggregates in another order than that of their makers: {origins}")
        self._acts(job)
        self._goes_on(job)
        self._makes(job, [one for one in used if one is not None], job.outputs.server.number)

    def _goes_on(self, job: Job[Any]) -> None:
        """The server's state is the one beside the model."""
        start, server = job.inputs[0], job.inputs[1]
        before = None if start is None else self._models.get(start.number)
        waits = self.federation.schedule.deadline_seconds == FOREVER and self.federation.membership is None
        if before is None or before.server is None or not waits or not self.federation.hands_over:
            return
        if server is None or (server.number >= self._known_from and server.number != before.server):
            raise self._violation(job, "goes on without the state of the server before it")

    def _shifted(self, job: Job[Any]) -> None:
        if self.federation.planner.roles.coupled:
            return
        used = self._update(job, job.inputs[1], job.args[1])
        self._acts(job)
        self._makes(job, [] if used is None else [used], None)

    def _update(self, job: Job[Any], handle: Handle | None, claimed: int) -> Origin | None:
        found = None if handle is None else self._trained.get(handle.number)
        if found is None:
            if handle is not None and (self.strangers or handle.number < self._known_from):
                return None
            raise self._violation(job, f"uses what it holds for an update of node {claimed} and nobody trained")
        schedule = self.federation.schedule
        oldest = -FOREVER if schedule.staleness_rounds == FOREVER else job.round - schedule.staleness_rounds
        if found.node != claimed:
            raise self._violation(job, f"holds an update of node {found.node} for one of node {claimed}")
        if not oldest <= found.round <= job.round:
            raise self._violation(job, f"uses an update of node {found.node} from round {found.round}")
        tables = (self.federation.planner.table(found.round, view) for view in self._seen_views)
        if not schedule.asynchronous and all(found.node not in table.sends_to for table in tables):
            raise self._violation(job, f"uses an update of node {found.node}, which does not train in round {found.round}")
        return found

    def _makes(self, job: Job[Any], used: list[Origin], server: int | None) -> None:
        """No update is in a model twice."""
        start = job.inputs[0]
        before = None if start is None else self._models.get(start.number)
        updates, looked, model = frozenset(used), 0, before
        if len(updates) < len(used):
            raise self._violation(job, "uses an update twice")
        while model is not None and looked < HISTORY:
            again = updates & model.updates
            if again:
                raise self._violation(job, f"uses updates that are in its model already: {sorted(again)}")
            looked, model = looked + 1, model.before
        made = Ancestry(before, updates, server)
        self._cut(made)
        self._remember(self._models, job.outputs.model.number, made)

    @staticmethod
    def _cut(model: Ancestry) -> None:
        """What lies too far back is forgotten."""
        last: Ancestry | None = model
        for _ in range(HISTORY):
            last = None if last is None else last.before
        if last is not None:
            last.before = None

    def _mixed(self, job: Job[Any]) -> None:
        weights, origins = job.args[:2]
        if not abs(sum(weights) - 1.0) <= TOLERANCE or min(weights) < 0.0:  # the sum tells what is no number
            raise self._violation(job, f"mixes with weights {weights}, which do not sum to one")
        if list(origins) != sorted(origins):
            raise self._violation(job, f"mixes in another order than that of their makers: {origins}")
        if len({job.node, *origins}) != len(origins) + 1:
            raise self._violation(job, f"mixes models of {origins}, one of them twice or its own")
        bound = FOREVER if self.federation.schedule.staleness_rounds == FOREVER else self.federation.schedule.staleness_rounds
        newest = FOREVER if self.federation.schedule.asynchronous else job.round
        firsts, number = self._firsts, job.round
        for handle, origin in zip(job.inputs[2 : 2 + len(origins)], origins, strict=True):
            if handle is not None and firsts.get(handle.number) == (origin, number):
                continue  # as it usually is
            if handle is None or handle.number < self._known_from:
                continue
            rounds = self._sent.get((handle.number, origin))
            if rounds is None:
                if self.strangers:
                    continue
                raise self._violation(job, f"mixes in a model that node {origin} never sent")
            if not any(job.round - bound <= number <= newest for number in rounds):
                raise self._violation(job, f"mixes in a model of node {origin} from round {sorted(rounds)}")

    def _acts(self, job: Job[Any]) -> None:
        """Where there is one aggregator, nobody else acts in its round and term."""
        self.looked += 1
        if not self._alone or self.federation.schedule.asynchronous:
            return
        key = (self._views.get(job.node, View()).term, job.round)
        who = self._acted.setdefault(key, job.node)
        if who != job.node:
            raise self._violation(job, f"acts in term {key[0]}, in which node {who} has acted")
        if len(self._acted) > HISTORY:
            del self._acted[min(self._acted, key=lambda one: one[1])]

    def _violation(self, job: Job[Any], what: str) -> Violation:
        return Violation(f"node {job.node} in round {job.round} {what}")

    def _remember(self, where: dict[Any, Any], key: Any, what: Any) -> None:
        where[key] = what
        self._order.append((where, key))
        if len(self._order) > self._most:
            old, number = self._order.popleft()
            old.pop(number, None)
            if old is self._sent:
                self._firsts.pop(number[0], None)
