"""How runs get on, while they do: a live table on a terminal, plain lines elsewhere. Written to standard error.

No thread of its own: it draws when it is told something, so that worker processes can be forked beside it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from rich import box
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from coterie.reporting.measures import Measure, measure
from coterie.reporting.units import data_size, duration

DRAW_SECONDS = 0.12
LINE_SECONDS = 2.0
TREND = 16
WIDE = 104
"""Columns from which the bar and the course are shown too."""
MOST_RUNS = 12
_BARS = "▁▂▃▄▅▆▇█"


@dataclass
class _Run:
    """What is shown of one run."""

    name: str
    rounds: int | None
    measure: Measure
    began: float
    first: int
    round: int = 0
    score: tuple[float, float, float] | None = None
    """Mean, least and greatest over nodes."""
    loss: float | None = None
    bytes: int = 0
    trend: list[float] = field(default_factory=list)
    ended: float | None = None
    note: str = ""

    @property
    def written(self) -> str:
        """The score: mean and range over nodes."""
        return self.measure.ranged(*self.score) if self.score else "—"

    def left(self, now: float) -> str:
        """`12 s left`, or how long it took."""
        if self.ended is not None:
            return self.note or f"took {duration(max(self.ended - self.began, 1e-3))}"
        done = self.round - self.first
        if self.rounds is None or done <= 0:
            return ""
        return f"{duration(max(1.0, (now - self.began) / done * (self.rounds - self.round)))} left"


class Progress:
    """Shows runs one after the other: `start` a run, `update` it after each round, `finish` it.

    console: where to draw, standard error by default. With `quiet` nothing is shown.
    """

    def __init__(self, console: Console | None = None, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console or Console(stderr=True)
        self._clock, self._quiet = clock, quiet
        self._runs: list[_Run] = []
        self._live: Live | None = None
        self._drawn = -1e9

    def __enter__(self) -> Self:
        if not self._quiet and self.console.is_terminal:
            self._live = Live(
                console=self.console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False, vertical_overflow="crop"
            )
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            self._live.stop()
            self._live = None

    def start(self, name: str, rounds: int | None = None, *, metric: str = "accuracy", done: int = 0) -> None:
        """Begins to show a run of so many `rounds` (None: until something else ends it); a resumed one has `done` some."""
        self._runs.append(_Run(name, rounds, measure(metric), self._clock(), done, done))
        self._drawn = -1e9 if self._live else self._clock()
        self._draw()

    def update(
        self, round: int, *, score: npt.ArrayLike | None = None, loss: npt.ArrayLike | None = None, bytes: int | None = None
    ) -> None:
        """Tells that `round` rounds are done: scores and losses over nodes (n,) where measured, bytes sent so far."""
        run = self._runs[-1]
        run.round = round
        if score is not None and (values := _finite(score)).size:
            run.score = (float(values.mean()), float(values.min()), float(values.max()))
            run.trend.append(run.score[0])
        if loss is not None and (values := _finite(loss)).size:
            run.loss = float(values.mean())
        if bytes is not None:
            run.bytes = bytes
        self._draw()

    def finish(self, note: str = "") -> None:
        """Ends the run that is shown; `note` in place of how long it took."""
        run = self._runs[-1]
        run.ended, run.note = self._clock(), note
        self._drawn = -1e9
        self._draw()

    def _draw(self) -> None:
        now = self._clock()
        if self._quiet or now - self._drawn < (DRAW_SECONDS if self._live else LINE_SECONDS):
            return
        self._drawn = now
        if self._live:
            self._live.update(self._table(), refresh=True)
        else:
            self.console.print(_line(self._runs[-1], now), soft_wrap=True, highlight=False, markup=False)

    def _table(self) -> Table:
        now = self._clock()
        wide = self.console.width >= WIDE
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        label = f"mean {self._runs[-1].measure.label} [range]" if self._runs else ""
        for heading in ("run", *([""] if wide else []), "round", label, *([""] if wide else []), "loss", "sent", ""):
            table.add_column(Text(heading), justify="right" if heading in {"round", "loss", "sent"} else "left", no_wrap=True)
        for run in self._runs[-MOST_RUNS:]:
            bar = ProgressBar(total=run.rounds or 1, completed=run.round if run.rounds else 0, width=16, pulse=False)
            table.add_row(
                Text(run.name, style="bold" if run.ended is None else ""),
                *([bar] if wide else []),
                f"{run.round}/{run.rounds}" if run.rounds else str(run.round),
                Text(run.written),
                *([Text(_sparkline(run.trend), style="cyan")] if wide else []),
                measure("loss").written(run.loss),
                data_size(run.bytes),
                run.left(now),
            )
        return table


def _finite(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    every = np.asarray(values, dtype=np.float64).ravel()
    return every[np.isfinite(every)]


def _sparkline(values: list[float]) -> str:
    """The course of `values` in TREND blocks or fewer."""
    step = max(1, -(-len(values) // TREND))
    shown = values[::-step][::-1]
    low, high = min(shown, default=0.0), max(shown, default=0.0)
    return "".join(_BARS[round((value - low) / (high - low or 1.0) * (len(_BARS) - 1))] for value in shown)


def _line(run: _Run, now: float) -> str:
    of = f"/{run.rounds}" if run.rounds else ""
    parts = [f"{run.name}: round {run.round}{of}"]
    if run.score is not None:
        parts.append(f"mean {run.measure.label} {run.written}")
    if run.loss is not None:
        parts.append(f"loss {measure('loss').written(run.loss)}")
    if run.bytes:
        parts.append(f"{data_size(run.bytes)} sent")
    if run.left(now):
        parts.append(run.left(now))
    return ", ".join(parts)
