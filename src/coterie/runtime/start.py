"""`coterie node start`: one member takes part in its federation's run, from agreement to the last model."""

import asyncio
import logging
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from coterie.core.errors import PeerError, RunError, ScenarioError
from coterie.core.ids import NodeId
from coterie.core.jobs import JobFailed
from coterie.federation.federation import Federation
from coterie.reporting.run_folder import EVENTS, METRICS, RunFolder
from coterie.reporting.summary import Outcome as RunOutcome
from coterie.reporting.summary import Summary, digest
from coterie.runtime.checkpoints import where_there_is_room
from coterie.runtime.excuse import excuse
from coterie.runtime.host import Outcome, Vectors
from coterie.runtime.local import told
from coterie.runtime.proposal import TOPIC, Answer, Proposal
from coterie.runtime.record import Record
from coterie.runtime.site import Site
from coterie.runtime.statuses import TOPIC as STATUS
from coterie.runtime.statuses import write_status
from coterie.runtime.taking_part import Part, part_of, take_part
from coterie.runtime.transport.wire import Word
from coterie.runtime.watching import Telling
from coterie.runtime.worker import Worker

if TYPE_CHECKING:
    from coterie.learning.executors import Executor
    from coterie.runtime.transport.links import Links
    from coterie.tasks.task import FederatedTask

STATUS_SECONDS, MEETING_SECONDS = 1.0, 10.0
RUN, ANSWERS, FOLDER = "run", "answers.json", "folder"

log = logging.getLogger("coterie.runtime")


class Refused(RunError):
    """This node does not take part: its site's policy does not allow the scenario."""


def worker_of(site: Site) -> Worker:
    """What runs this node's jobs, ready to: it has read the data, of which this process then knows all but the samples.

    Raises ScenarioError, JobFailed.
    """

    def make() -> "Executor":
        from coterie.learning import executors

        return executors.build("inline", site.bench)

    def about() -> "FederatedTask":
        return site.setup.task.without_samples()

    worker = Worker(make, site.file.jobs_idle_seconds, about)
    site.setup.knows(worker.about)
    return worker


def checkpoint_folder(site: Site) -> Path:
    """Where this node keeps what must survive it, for this very scenario."""
    return site.home.folder / RUN / site.scenario.digest[:16]


class Starting(Telling):
    """One node, taking part. on_change: is called when there is news to be shown."""

    def __init__(self, site: Site, worker: Worker, record: Record, on_change: Callable[["Starting"], None] = lambda _: None) -> None:
        super().__init__(self._event)
        self.site, self.record, self._worker, self._on_change = site, record, worker, on_change
        self.phase, self.problem, self.traceback = "starting", "", ""
        self.failed_peers: dict[int, str] = {}
        self.links: Links | None = None
        self.proposal: Proposal | None = None

    async def run(self) -> Outcome:
        """Raises Refused, RunError; a node that fails tells its peers why."""
        from coterie.runtime.transport.links import Links  # brings gRPC, so not before the worker was forked

        site, home = self.site, self.site.home
        part = _part(site)
        places, me = part.run.places, site.me
        self.links = Links(
            home.credentials,
            home.signed_register,
            places,
            me,
            run=part.run.number,
            largest=part.run.largest,
            listen=site.listen,
            keep_register=lambda signed: signed.write(home.folder),
        )
        self.proposal = Proposal(home.credentials, len(places), site.scenario.digest, self.links.say, self._answered)
        folder = checkpoint_folder(site)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = asyncio.get_running_loop().create_task(self._keep_status())
        try:
            rounds = site.scenario.until.rounds
            outcome = await take_part(part, self.links, self._worker, folder, self, lambda state: state.round < rounds, self._agree)
        except BaseException as error:
            self._failed(error)
            raise
        else:
            return self._ended(outcome)
        finally:
            status.cancel()
            self._write_status()

    def _ended(self, outcome: Outcome) -> Outcome:
        """The end of this node's part, if it was one; raises RunError or Refused otherwise."""
        for problem in outcome.problems.values():
            self._failed(problem)
            raise problem if isinstance(problem, RunError) else RunError(told(outcome.problems.items()))
        if not outcome.results:
            self.phase = "refused"
            raise Refused(self.problem)
        self.phase = "finished"
        return outcome

    async def _agree(self, federation: Federation) -> Federation | None:
        """Exchange answers until all are known; the federation as they make it, or None if this node does not take part."""
        assert self.proposal is not None
        known = checkpoint_folder(self.site) / ANSWERS
        if known.exists():  # it was agreed before this node was restarted
            for answer in msgspec.json.decode(known.read_bytes(), type=list[Answer]):
                self.proposal.answers[answer.node] = answer
            return self._agreed(federation)
        own = self.site.answer()
        self.proposal.answer(own)
        if not own.accepts:
            self.problem = own.reason
            await self._met()
            return None
        self.phase = "waiting for members"
        self._news()
        try:
            await asyncio.wait_for(self.proposal.complete.wait(), self.site.file.start_within_seconds)
        except TimeoutError:
            names = ", ".join(self._name(node) for node in self.proposal.missing)
            raise RunError(f"these members did not come within {self.site.file.start_within_seconds:g} s: {names}") from None
        known.write_bytes(msgspec.json.encode(list(self.proposal.answers.values())))
        return self._agreed(federation)

    async def _met(self) -> None:
        """Stay until all peers are there to be told why this node does not take part, or for a while."""
        assert self.links is not None
        give_up = time.monotonic() + MEETING_SECONDS
        while time.monotonic() < give_up and not all(peer.streams for peer in self.links.peers.values()):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    def _agreed(self, federation: Federation) -> Federation:
        """With the numbers of examples that members have told; raises RunError where their models do not fit together."""
        assert self.proposal is not None and self.links is not None  # noqa: PT018 - both are made in `run`
        answers, own = self.proposal.answers, self.proposal.answers[self.site.me]
        taking = [answer for answer in answers.values() if answer.accepts]
        if odd := [answer for answer in taking if answer.parameters != own.parameters]:
            theirs = ", ".join(f"{answer.name} {answer.parameters}" for answer in odd)
            raise RunError(f"over this node's data the model has {own.parameters} numbers, but: {theirs}; columns or classes differ")
        for answer in self.proposal.refusing:
            self.links.exclude(answer.node, PeerError("refused", answer.reason))
        if apart := self.site.apart(self.links.register, [answer.node for answer in taking]):
            both = f"{self._name(apart[0])} and {self._name(apart[1])}"
            raise RunError(f"{both} share an edge, and neither can be dialled: one must join with --address, or a topology keep them apart")
        self.phase = "running"
        self._news()
        if self.site.file.data is None:
            return federation
        samples, tests = federation.samples.copy(), federation.tests.copy()
        for answer in taking:
            samples[answer.node], tests[answer.node] = answer.samples, answer.tests
        return replace(federation, samples=samples, tests=tests)

    # ---- what happens

    def connected(self, place: int) -> None:
        """A peer is there."""
        assert self.proposal is not None
        self.proposal.connected(place)
        self._news()

    def word(self, place: int, word: Word) -> None:
        """A peer's answer."""
        assert self.proposal is not None
        if word.topic == TOPIC:
            self.proposal.heard(place, word)
        else:
            super().word(place, word)

    def failed(self, nodes: tuple[NodeId, ...], text: str) -> None:
        """A peer has failed: it may be started again, so it is waited for, but visibly."""
        for node in nodes:
            self.failed_peers[node] = f"has failed: {text.splitlines()[0] if text else 'no reason given'}"
        self.record.take(("failed", tuple(map(int, nodes)), text))
        self._news()

    def troubled(self, nodes: tuple[NodeId, ...], problem: str) -> None:
        """This node, or a peer, cannot go on for now, or can again."""
        for node in nodes:
            if node == self.site.me:
                self.problem = problem
            elif problem:
                self.failed_peers[node] = problem
            else:
                self.failed_peers.pop(node, None)
        super().troubled(nodes, problem)

    def asked(self, word: Word) -> Word:
        """The authority asks how this node is."""
        if word.topic != STATUS:
            return super().asked(word)
        return Word(STATUS, msgspec.json.encode(self.status()))

    def _answered(self, answer: Answer) -> None:
        if not answer.accepts:
            log.warning("%s (node %s) does not take part: %s", answer.name, answer.node, answer.reason)
            self.failed_peers[answer.node] = f"does not take part: {answer.reason}"
        self._news()

    def _event(self, event: Any) -> None:
        self.record.take(event)
        if event[0] == "round":
            where_there_is_room(self.record.folder.positions)  # rows of what a checkpoint holds are in their files
        self._news()

    def _news(self) -> None:
        self._on_change(self)

    def _failed(self, error: BaseException) -> None:
        """Keep the reason; the host tells it to the peers."""
        if isinstance(error, asyncio.CancelledError):
            self.phase = "stopped"
        if self.phase in {"stopped", "failed"}:
            return
        self.phase, self.problem = "failed", (str(error).splitlines() or [type(error).__name__])[0]
        self.traceback = str(error) if isinstance(error, (RunError, JobFailed)) else "".join(traceback.format_exception(error))
        log.error("this node has failed: %s", self.traceback)

    # ---- how it is

    def _name(self, node: int) -> str:
        register = self.site.home.register if self.links is None else self.links.register
        member = register.member(node)
        return f"node-{node}" if member is None else member.name

    def status(self) -> dict[str, Any]:
        """Plain data, without secrets."""
        record, me = self.record, self.site.me
        found: dict[str, Any] = {
            "node": int(me),
            "name": self.site.home.membership.name,
            "federation": self.site.home.membership.federation_name,
            "state": self.phase,
            "role": _role(self.site),
            "round": record.now[me].round,
            "rounds": self.site.scenario.until.rounds,
            "score": record.now[me].score,
            "problem": self.problem,
            "traceback": self.traceback[-8000:],
            "peers": [],
        }
        if self.phase == "waiting for members" and self.proposal is not None:
            found["waits_for"] = ", ".join(self._name(node) for node in self.proposal.missing)
        for place, peer in {} if self.links is None else self.links.peers.items():
            found["peers"].append(
                {
                    "node": place,
                    "name": self._name(place),
                    "state": peer.state,
                    "bytes_sent": peer.traffic.bytes_sent,
                    "bytes_received": peer.traffic.bytes_received,
                    "problem": self.failed_peers.get(place) or peer.problem,
                }
            )
        return found

    def _write_status(self) -> None:
        write_status(self.site.home.folder, self.status())

    async def _keep_status(self) -> None:
        while True:
            self._write_status()
            self._news()
            await asyncio.sleep(STATUS_SECONDS)


def _part(site: Site) -> Part:
    """What this node must know to take part; models stay NumPy arrays in its process."""
    places = tuple((NodeId(node),) for node in range(site.setup.nodes))
    scenario, setup = site.scenario, site.setup
    number = int(scenario.digest[:15], 16)
    part = part_of(setup.federation, setup.initial, Vectors(np.asarray, np.asarray), places, number=number, rounds=scenario.until.rounds)
    return replace(part, alone_seconds=site.file.alone_for_seconds)


def _role(site: Site) -> str:
    table = site.setup.planner.table(0)
    parts = (("trainer", table.trainers), ("aggregator", table.aggregators), ("proxy", table.proxies))
    return ", ".join(name for name, who in parts if site.me in who) or "idle"


def finish(site: Site, record: Record, outcome: Outcome) -> Summary:
    """Write the node's own model and summary into its run folder, and tidy up."""
    folder, scenario, me = record.folder, site.scenario, site.me
    size = site.setup.network.layout.size
    vector = np.asarray(outcome.results[me].model.value)[:size]
    fields = RunOutcome(
        **record.figures(),
        nodes=site.setup.nodes,
        rounds=outcome.results[me].round,
        bytes_sent=record.bytes_sent,
        bytes_received=sum(about.bytes_sent for node, about in enumerate(record.now) if node != me),
        digest=digest([vector]),
    )
    named = {name: getattr(fields, name) for name in RunOutcome.__struct_fields__}
    summary = Summary(**named, name=scenario.name, seed=scenario.seed, ended_by="rounds")
    folder.write_models(site.setup.network.layout, [vector], None)
    folder.write_summary(summary)
    for file in checkpoint_folder(site).iterdir():
        if file.name != FOLDER:  # by which it is known, should it be started once more, that this run is over
            file.unlink()
    return summary


def start(site: Site, folder: RunFolder, on_change: Callable[[Starting], None] = lambda _: None) -> Summary:
    """Take part to the end; raises Refused, RunError, ScenarioError. SIGTERM ends it in order, and it can be started again."""
    logging.raiseExceptions = False  # a log that a full disk has no room for ends nothing
    try:
        worker = worker_of(site)
    except (ScenarioError, JobFailed, RunError) as error:
        asyncio.run(excuse(site, error))
        raise
    try:
        record = Record(folder, site.setup.nodes, site.setup.task.metric)
        outcome = asyncio.run(_run(Starting(site, worker, record, on_change)))
        return finish(site, record, outcome)
    finally:
        worker.close()


async def _run(starting: Starting) -> Outcome:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, partial(task.cancel))
    return await starting.run()


def resumable(checkpoints: Path) -> RunFolder | None:
    """The folder of the run that this node began, to go on writing (whole rows are kept) or, where it has finished, to read."""
    named = checkpoints / FOLDER
    if not named.exists():
        return None
    path = Path(named.read_text())
    if not (path / METRICS).exists():
        return None
    folder = RunFolder.open(path)
    return folder if folder.finished else RunFolder.resume(path, {name: _whole_rows(path / name) for name in (METRICS, EVENTS)})


def _whole_rows(file: Path) -> int:
    """Up to where a file of rows is whole: a process that was killed may have left half a row."""
    return file.read_bytes().rfind(b"\n") + 1 if file.exists() else 0
