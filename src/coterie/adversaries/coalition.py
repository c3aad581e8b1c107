"""What colluding attackers send in place of their updates.

They are as strong as the literature has them: in rounds that all finish together they send last, and so know what honest nodes send in
that round before they send anything ("rushing"). In virtual time: an attacker's training ends when that of its accomplices, and of the
honest nodes it watches, has ended. Where nobody waits for all, attackers do not either: they go by the newest that others have made until
then. Nothing is known before it is there, so that it could happen like this.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from coterie.adversaries.plot import Plot
from coterie.attacks.attack import UpdateAttack
from coterie.attacks.jobs import Play, attack
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle, Job
from coterie.federation.federation import Federation
from coterie.federation.schedule import FOREVER
from coterie.federation.state import View
from coterie.learning.jobs import Trained

KEPT, KEPT_TOGETHER = 8, 2
"""Rounds of each node whose updates are remembered; fewer where all are in the same round."""


class Made(NamedTuple):
    """What a node's training gave: its update, the published vector that it began from, and when it is there."""

    update: Handle
    start: Handle
    ready: float
    whole: bool


class Moment(NamedTuple):
    """A round, the membership it is played in, and what time it is."""

    round: int
    view: View
    now: float


class Held(NamedTuple):
    """A training of an attacker whose end waits for others."""

    node: int
    flow: int
    token: int
    round: int
    outputs: tuple[Handle, ...]


class Coalition:
    """The attackers of one plot against updates."""

    def __init__(self, plot: Plot, federation: Federation) -> None:
        assert isinstance(plot.thing, UpdateAttack)
        self.plot, self.thing, self.federation = plot, plot.thing, federation
        self.planner = federation.planner
        schedule = federation.schedule
        together = not schedule.asynchronous and schedule.need(1) == FOREVER and schedule.deadline_seconds == FOREVER
        self.waits = together and federation.uninvited is None  # who is in quarantine may not be asked at all
        self.graph = self.planner.roles.coupled
        self.kept = KEPT_TOGETHER if self.waits and not self.graph else KEPT
        self.made: dict[int, dict[int, Made]] = {}
        self.held: list[Held] = []
        self.histories: dict[tuple[int, ...], Handle] = {}
        self._sent: dict[tuple[Any, ...], tuple[Handle, ...]] = {}
        self._issued: list[Job[Any]] = []

    # ---- what is known

    def learns(self, node: int, job: Job[Trained], ready: float) -> None:
        """`node` trains, and its update is there when it is `ready`."""
        if node not in self.plot.members and "honest" not in self.plot.knows:
            return
        start = job.inputs[0]
        assert start is not None
        rounds = self.made.setdefault(node, {})
        rounds[job.round] = Made(job.outputs.update, start, ready, bool(job.args[-1]))
        while len(rounds) > self.kept:
            rounds.pop(next(iter(rounds)))

    def accomplices(self, node: int, round: int, view: View) -> list[int]:
        """The attackers that train in the round for the same aggregator as `node`, itself among them; in a graph, all that do."""
        table = self.planner.table(round, view)
        mine = table.sends_to.get(node)
        return [other for other, to in table.sends_to.items() if self.plot.on(other, round) and (self.graph or to == mine or other == node)]

    def watched(self, node: int, round: int, view: View) -> list[int]:
        """The honest nodes whose updates the attacker knows: those for its aggregator, or in a graph around those it sends to."""
        if "honest" not in self.plot.knows:
            return []
        table = self.planner.table(round, view)
        if not self.graph:
            mine = table.sends_to.get(node)
            return [other for other, to in table.sends_to.items() if to == mine and other not in self.plot.members]
        found: set[int] = set()
        for receiver in self._receivers(node, round, view):
            found |= {receiver, *self._around(receiver, round, view)}
        return sorted(found - self.plot.members)

    def _receivers(self, node: int, round: int, view: View) -> tuple[NodeId, ...]:
        return self.planner.plan(NodeId(node), round, view).exchange_with

    def _around(self, receiver: int, round: int, view: View) -> tuple[NodeId, ...]:
        return self.planner.plan(NodeId(receiver), round, view).exchange_from

    # ---- when an attacker's training ends

    def holds(self, held: Held) -> None:
        """An attacker's training has begun."""
        self.held.append(held)

    def released(self, now: float, view: View) -> Iterator[tuple[Held, float, tuple[Handle, ...]]]:
        """Those whose training ends since all they wait for is known: when, and with what."""
        for held in list(self.held):
            if held not in self.held:
                continue
            others = self.accomplices(held.node, held.round, view)
            watched = self.watched(held.node, held.round, view)
            if self.waits:
                if any(held.round not in self.made.get(node, {}) for node in (*others, *watched)):
                    continue
                group = [one for one in self.held if one.round == held.round and one.node in others]
                ready = max(self.made[node][held.round].ready for node in (*others, *watched))
            else:
                group, ready = [held], self.made[held.node][held.round].ready
            for one in group if not self.graph else [held]:
                self.held.remove(one)
                outputs = (
                    one.outputs if self.graph else (self._replaced(one, others, watched, Moment(one.round, view, ready)), *one.outputs[1:])
                )
                yield one, max(now, ready), outputs

    def jobs(self) -> list[Job[Any]]:
        """What has to be computed for what was given away since the last time."""
        found, self._issued = self._issued, []
        return found

    def _newest(self, node: int, at: Moment) -> Made | None:
        """What a node has made in the round; where nobody waits, the newest that is there."""
        rounds = self.made.get(node, {})
        if self.waits:
            return rounds.get(at.round)
        there = [number for number, made in rounds.items() if made.ready <= at.now]
        return rounds[max(there)] if there else None

    def _replaced(self, held: Held, others: list[int], watched: list[int], at: Moment) -> Handle:
        """What an attacker sends to its aggregator."""
        key = (held.round, *others) if self.waits else (held.round, held.node)
        others = sorted(node for node in others if node == held.node or self._newest(node, at))
        if key not in self._sent:
            mine = self.made[held.node][held.round]
            lead = self.made[others[0]][held.round] if self.waits else mine
            made = [mine if node == held.node else self._newest(node, at) for node in (*others, *watched)]
            vectors = tuple(one.update for one in made if one is not None)
            starts = lead.start, self._before(others, held.round)
            self._sent[key] = self._issue(self._play(len(others), whole=mine.whole), starts, vectors, (held.node, held.round), ())
            self._forget()
        return self._sent[key][others.index(held.node)]

    def _before(self, attackers: list[int], round: int) -> Handle | None:
        """The published vector that one of the attackers began an earlier round from, the newest of these."""
        known = ((number, -node) for node in attackers for number in self.made.get(node, {}) if number < round)
        number, node = max(known, default=(-1, 0))
        return None if number < 0 else self.made[-node][number].start

    # ---- what an attacker of a graph sends to each of its neighbours

    def models_for(self, node: int, receivers: tuple[int, ...], at: Moment) -> list[Handle]:
        """What the attacker `node` sends to each of `receivers` in place of its model."""
        if at.round not in self.made.get(node, {}):
            return []
        return [self._model_for(node, receiver, at) for receiver in receivers]

    def _model_for(self, node: int, receiver: int, at: Moment) -> Handle:
        around = self._around(receiver, at.round, at.view)
        if "honest" in self.plot.knows:
            members = [other for other in sorted({*around, receiver, node}) if self._newest(other, at)]
            bad = [other for other in members if self.plot.on(other, at.round)]
            honest = [other for other in members if other not in self.plot.members]
        else:
            bad, honest = [other for other in self.accomplices(node, at.round, at.view) if self._newest(other, at)], []
        aims = receiver in honest and bool({"received", "weights", "weight", "rule"} & self.thing.inputs)
        key = (at.round, node, tuple(bad), tuple(honest), receiver if aims else -1)
        if key not in self._sent:
            mine = self.made[node][at.round]
            play = self._play(len(bad), whole=True, target=honest.index(receiver) if aims else None, only=bad.index(node))
            if aims and {"weights", "weight"} & self.thing.inputs:
                weights = self._weights(receiver, around)
                play = play._replace(
                    weights=tuple(weights[other] for other in honest), weight=sum(weights.get(other, 0.0) for other in bad)
                )
            made = [mine if other == node else self._newest(other, at) for other in (*bad, *honest)]
            vectors = tuple(one.update for one in made if one is not None)
            starts = mine.start, None if aims else self._before([node], at.round)
            self._sent[key] = self._issue(play, starts, vectors, (node, at.round), (node, receiver) if aims else (node,))
            self._forget()
        return self._sent[key][0]

    def _weights(self, receiver: int, around: tuple[NodeId, ...]) -> dict[int, float]:
        """What each model weighs where `receiver` mixes."""
        samples = tuple(int(self.federation.samples[node]) for node in (receiver, *around))
        found = self.federation.mixing(NodeId(receiver), around, samples, {})
        return dict(zip((receiver, *around), found, strict=True))

    # ---- the job

    def _play(self, count: int, *, whole: bool, target: int | None = None, only: int | None = None) -> Play:
        params = tuple(sorted(self.thing.params.items()))
        knows = tuple(sorted(self.plot.knows - {"honest"}))
        return Play(self.thing.name, params, count, knows, whole=whole, target=target, stealth=self.plot.stealth, only=only)

    def _issue(
        self,
        play: Play,
        starts: tuple[Handle, Handle | None],
        vectors: tuple[Handle, ...],
        at: tuple[int, int],
        where: tuple[int, ...],
    ) -> tuple[Handle, ...]:
        """The job of `at` (node, round). starts: the vector begun from, and the one before. where: whose history it goes on with."""
        keeps = "history" in self.thing.inputs
        history = self.histories.get(where) if keeps else None
        job = attack(*starts, history, vectors, play, node=at[0], round=at[1])
        if keeps:
            self.histories[where] = job.outputs[-1]
        self._issued.append(job)
        return job.outputs

    def _forget(self) -> None:
        """Of what was sent, the rounds of long ago."""
        newest = max(key[0] for key in self._sent)
        for key in [key for key in self._sent if key[0] < newest - self.kept]:
            del self._sent[key]

    # ---- resume

    def saved(self) -> dict[str, Any]:
        """What `restored` needs."""
        return {
            "made": [[node, number, tuple(made)] for node, rounds in self.made.items() for number, made in rounds.items()],
            "held": [tuple(held) for held in self.held],
            "histories": [[where, handle] for where, handle in self.histories.items()],
            "sent": [[key, handles] for key, handles in self._sent.items()],
        }

    def restored(self, saved: dict[str, Any]) -> None:
        """Become what `saved` said."""
        for node, number, made in saved["made"]:
            self.made.setdefault(node, {})[number] = Made(*made)
        self.held = [Held(*one) for one in saved["held"]]
        self.histories = {tuple(where): handle for where, handle in saved["histories"]}
        self._sent = dict(saved["sent"])
