"""A run's folder: written as the run goes, readable at any time, and able to go on after `kill -9`.

scenario.yaml    as resolved            summary.json   the outcome; there once the run has finished
metrics.jsonl    a row a node, round and metric         report.html    the same to look at
events.jsonl     rounds, messages       models/        safetensors
facts.json       graph, roles, data     log.txt        what the `coterie` loggers said
baselines/NAME/  a run folder for each baseline
"""

import logging
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.core.errors import ScenarioError
from coterie.core.layout import Layout
from coterie.reporting import models
from coterie.reporting.events import EVENT_BYTES, Events, FaultEvent, MessageEvent, RejectedEvent, RoundEvent, StretchEvent, read_events
from coterie.reporting.facts import Facts
from coterie.reporting.judged import JudgedEvent
from coterie.reporting.metrics import Metrics, metric_rows, read_metrics
from coterie.reporting.rows import RowWriter
from coterie.reporting.summary import Summary, encode, read_summary

METRICS, EVENTS, LOG = "metrics.jsonl", "events.jsonl", "log.txt"
SHARED = ("centralized", "semi-decentralized")
"""Architectures in which nodes share one model."""
SCENARIO, FACTS, SUMMARY, REPORT = "scenario.yaml", "facts.json", "summary.json", "report.html"


class RunFolder:
    """The folder of one run.

    `create` and `resume` give one that can be written, and keeps other processes from writing it until it is closed (or its
    process dies); `open` gives one to read. Used as a context manager it closes itself.
    """

    def __init__(self, path: Path, metrics: RowWriter | None = None, events: RowWriter | None = None, lock: int | None = None) -> None:
        self.path = path
        self._metrics, self._events, self._lock = metrics, events, lock

    @classmethod
    def create(cls, scenario: str, *, name: str = "run", path: Path | None = None, root: Path = Path("runs")) -> Self:
        """A new folder at `path`, or at the first free `root/<name>-<n>`; `scenario` is the text of `scenario.yaml`.

        Raises ScenarioError where `path` holds anything already.
        """
        if path is None:
            path = _next_free(root, name)
        else:
            _refuse_overwriting(path)
            _made(path)
        replace_file(path / SCENARIO, scenario.encode())
        return cls._writable(path, {METRICS: 0, EVENTS: 0})

    @classmethod
    def open(cls, path: Path) -> Self:
        """An existing folder, to read; raises ScenarioError where there is no run in it."""
        if not (path / SCENARIO).is_file() or not (path / METRICS).is_file():
            raise ScenarioError.at(
                str(path), "is not the folder of a run" if path.exists() else "does not exist", "name a folder under runs/"
            )
        return cls(path)

    @classmethod
    def resume(cls, path: Path, positions: Mapping[str, int] | None = None) -> Self:
        """An unfinished folder, to go on writing from the `positions` that a checkpoint noted; None: from the beginning.

        Raises ScenarioError where there is no run, it has finished, another process writes it, or a file was cut since.
        """
        folder = cls.open(path)
        if folder.finished:
            raise ScenarioError.at(str(path), "holds a run that has finished", "start a new run with `coterie run`")
        return cls._writable(path, positions or {METRICS: 0, EVENTS: 0})

    @classmethod
    def _writable(cls, path: Path, positions: Mapping[str, int]) -> Self:
        lock = _locked(path)
        opened: list[RowWriter] = []
        try:
            for name in (METRICS, EVENTS):
                opened.append(RowWriter(path / name, positions[name]))  # noqa: PERF401 - a failure closes those opened so far
        except BaseException:
            _release(lock, opened)
            raise
        return cls(path, opened[0], opened[1], lock)

    # Writing

    def append_metrics(
        self, round: int, metric: str, nodes: npt.NDArray[Any] | list[int], values: npt.NDArray[Any] | list[float], seconds: Any
    ) -> None:
        """Adds one metric of many nodes: `nodes` (n,) ids, `values` (n,), `seconds` virtual, a number or (n,)."""
        self.__dict__.pop("metrics", None)
        self._writer(self._metrics).extend(metric_rows(round, metric, nodes, values, seconds))

    def append_round(
        self, *, round: int, seconds: float, wall_seconds: float, bytes: int, messages: int, trained: int, aggregated: int
    ) -> None:
        """Adds the event that a round ended; the fields are those of `RoundEvent`."""
        self._append_event(RoundEvent(round, seconds, wall_seconds, bytes, messages, trained, aggregated), always=True)

    def append_message(self, *, seconds: float, sender: int, receiver: int, kind: str, round: int, bytes: int) -> None:
        """Adds the event that a message was sent, until the file has EVENT_BYTES."""
        self._append_event(MessageEvent(seconds, sender, receiver, kind, round, bytes))

    def append_rejection(self, *, node: int, sender: int, reason: str, round: int, seconds: float = 0.0) -> None:
        """Adds the event that `node` refused something of `sender`, until the file has EVENT_BYTES."""
        self._append_event(RejectedEvent(node, sender, reason, round, seconds))

    def append_stretch(self, what: str, node: int, round: int, begin: float, end: float) -> None:
        """Adds that a node was busy from `begin` to `end` (virtual seconds), until the file has EVENT_BYTES."""
        self._append_event(StretchEvent(what, node, round, begin, end))

    def append_fault(self, what: str, nodes: tuple[int, ...], begin: float, end: float) -> None:
        """Adds that a fault was injected at `nodes`, from `begin` to `end` (∞: for good), until the file has EVENT_BYTES."""
        self._append_event(FaultEvent(what, nodes, begin, end if math.isfinite(end) else None))

    def append_judged(self, event: JudgedEvent) -> None:
        """Adds what a node thought of updates, until the file has EVENT_BYTES."""
        self._append_event(event)

    def append_event(self, event: str, **fields: Any) -> None:
        """Adds any other event, plain data, until the file has EVENT_BYTES."""
        self._append_event({"event": event, **fields})

    def _append_event(self, row: msgspec.Struct | dict[str, Any], *, always: bool = False) -> None:
        """The bound is on bytes and not on a count, so that a resumed run stops at the same row."""
        self.__dict__.pop("events", None)
        events = self._writer(self._events)
        room = events.position < EVENT_BYTES
        if room or always:
            events.append(row)
        if room and events.position >= EVENT_BYTES:
            events.append({"event": "cut", "problem": f"the file has {EVENT_BYTES} bytes; from here on it tells of rounds alone"})

    def positions(self) -> dict[str, int]:
        """Flushes, and says how long each file of rows is: what a checkpoint keeps for `resume`."""
        writers = {METRICS: self._writer(self._metrics), EVENTS: self._writer(self._events)}
        for writer in writers.values():
            writer.flush()
        return {name: writer.position for name, writer in writers.items()}

    def truncate(self, positions: Mapping[str, int]) -> None:
        """Takes back every row after `positions` (a repeat of rounds that did not hold)."""
        self._forget()
        for name in (METRICS, EVENTS):
            writer = self._writer(self._metrics if name == METRICS else self._events)
            writer.cut(positions[name])

    def write_facts(self, facts: Facts) -> None:
        """Writes `facts.json`, in place of an earlier one."""
        self._forget()
        replace_file(self.path / FACTS, msgspec.json.encode(facts) + b"\n")

    def write_summary(self, summary: Summary) -> None:
        """Flushes and writes `summary.json`: from now on the run has finished. The last thing a run writes but the report."""
        self.positions()
        self._forget()
        replace_file(self.path / SUMMARY, encode(summary))

    def write_models(self, layout: Layout, vectors: Iterable[npt.NDArray[np.float32]], nodes: int | None) -> Path:
        """Writes the final models under `models/`; see `models.write`."""
        return models.write(self.path / "models", layout, vectors, nodes)

    def baseline(self, name: str, scenario: str, positions: Mapping[str, int] | None = None) -> "RunFolder":
        """The folder of a baseline to write: new, or emptied (cut to `positions`) where a killed run left one."""
        path = self.path / "baselines" / slug(name)
        if (path / METRICS).exists():
            return RunFolder.resume(path, positions)
        _made(path)
        replace_file(path / SCENARIO, scenario.encode())
        return RunFolder._writable(path, {METRICS: 0, EVENTS: 0})

    @contextmanager
    def logging(self, level: int = logging.INFO) -> Iterator[None]:
        """Within this, what loggers called `coterie…` say is added to `log.txt`."""
        logger = logging.getLogger("coterie")
        handler = logging.FileHandler(self.path / LOG, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
        handler.setLevel(level)
        before = logger.level
        if logger.getEffectiveLevel() > level:
            logger.setLevel(level)
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)
            handler.close()

    def close(self) -> None:
        """Flushes, and lets others write the folder."""
        _release(self._lock, [writer for writer in (self._metrics, self._events) if writer is not None])
        self._metrics = self._events = self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _writer(self, writer: RowWriter | None) -> RowWriter:
        if writer is None:
            raise ValueError(f"{self.path} is open for reading")
        return writer

    # Reading

    @property
    def finished(self) -> bool:
        """Whether the run came to its end."""
        return (self.path / SUMMARY).exists()

    @property
    def scenario(self) -> str:
        """The text of `scenario.yaml`."""
        return (self.path / SCENARIO).read_text(encoding="utf-8", errors="replace")

    @cached_property
    def metrics(self) -> Metrics:
        """All metrics as columns; read when first asked for."""
        self._flush()
        return read_metrics(self.path / METRICS, shared=self.facts.architecture in SHARED)

    @cached_property
    def events(self) -> Events:
        """All rounds as columns, and the count of rejections; read when first asked for."""
        self._flush()
        return read_events(self.path / EVENTS)

    @cached_property
    def facts(self) -> Facts:
        """What is known of the graph, the roles and the data; empty where nothing was written yet."""
        path = self.path / FACTS
        if not path.exists():
            return Facts()
        try:
            return msgspec.json.decode(path.read_bytes(), type=Facts)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OSError) as error:
            raise ScenarioError.at(str(path), f"is damaged ({error})", "restore it from a copy, or run the scenario again") from None

    @cached_property
    def summary(self) -> Summary:
        """The outcome; raises ScenarioError where the run has not finished."""
        if not self.finished:
            raise ScenarioError.at(str(self.path), "holds a run that has not finished", f"go on with it: coterie resume {self.path}")
        return read_summary(self.path / SUMMARY)

    def models(self) -> models.Models:
        """The final models, read from disk as they are asked for."""
        return models.read(self.path / "models")

    def baselines(self) -> dict[str, "RunFolder"]:
        """The baselines by name, to read."""
        found = sorted((self.path / "baselines").glob(f"*/{METRICS}"))
        return {path.parent.name: RunFolder.open(path.parent) for path in found}

    def _flush(self) -> None:
        if self._metrics is not None:
            self.positions()

    def _forget(self) -> None:
        for name in ("metrics", "events", "facts", "summary"):
            self.__dict__.pop(name, None)


def replace_file(path: Path, data: bytes) -> None:
    """Writes a whole file at once: a reader sees the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)  # noqa: PTH105 - says what is meant


def slug(name: str) -> str:
    """`name` as the name of a file that is harmless everywhere."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:60] or "run"


def _next_free(root: Path, name: str) -> Path:
    """Makes the first `root/<name>-<n>` that no run has taken, also when many start at once."""
    stem = slug(name)
    taken = [int(found[1]) for path in root.glob(f"{stem}-*") if (found := re.fullmatch(re.escape(stem) + r"-(\d{1,9})", path.name))]
    number = max(taken, default=0) + 1
    while True:
        path = root / f"{stem}-{number}"
        with suppress(FileExistsError):
            _made(root)
            path.mkdir()
            return path
        number += 1


def _made(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ScenarioError.at(str(path), f"cannot be made ({error.strerror or error})", "choose another folder with --out") from None


def _refuse_overwriting(path: Path) -> None:
    try:
        finished = (path / SUMMARY).exists()
    except OSError as error:
        raise ScenarioError.at(str(path), f"cannot be made ({error.strerror})", "choose another folder with --out") from None
    if finished:
        raise ScenarioError.at(str(path), "holds a finished run", "choose another folder with --out, or delete this one")
    if (path / METRICS).exists():
        raise ScenarioError.at(
            str(path), "holds an unfinished run", f"go on with it (coterie resume {path}) or choose another folder with --out"
        )
    if path.is_dir() and any(path.iterdir()):
        raise ScenarioError.at(str(path), "holds other files", "choose a new or an empty folder with --out")


def _locked(path: Path) -> int | None:
    """Takes the folder's write lock: the system frees it when this process ends, and forked workers do not inherit it."""
    try:
        import fcntl
    except ImportError:  # not on this system
        return None
    lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise ScenarioError.at(str(path), "is being written by another process", "wait until it has ended, or stop it") from None
    return lock


def _release(lock: int | None, writers: Iterable[RowWriter]) -> None:
    for writer in writers:
        writer.close()
    if lock is not None:
        os.close(lock)
