"""Local training of many nodes as one computation: what the job `train` does in the engine `fast`."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie.core import draws
from coterie.core.jobs import Call, JobFailed
from coterie.learning.algorithm import Algorithm, Sections
from coterie.learning.batched.chunk import width
from coterie.learning.batched.models import Models
from coterie.learning.batched.sprint import plain, sprint, sprints
from coterie.learning.batched.timetable import Course, Timetable, Turn, course, passes_of
from coterie.learning.bench import Bench
from coterie.learning.shards import Table

MOST_NUMBERS = 1 << 24
"""Samples' places of one timetable; beyond them, further nodes get a timetable of their own."""


def train(bench: Bench, models: Models, calls: Sequence[Call]) -> list[tuple[Any, ...]]:
    """(update, client state, facts) of each call, as `training.local` gives them one by one."""
    sizes = bench.train_shards.sizes[[bench.shard(call.node, call.round) for call in calls]]
    _check(bench, calls, sizes)
    length = bench.training.batch_size
    found: dict[int, tuple[Any, ...]] = {}
    widths = width(np.minimum(sizes, length or bench.largest_shard), length)
    steps = passes_of(sizes, _given(calls), bench.training, bench.replica.least)[-1]
    steps[~sprints(bench, models, steps, widths)] = 0
    for wide, few in np.unique(np.stack([widths, steps]), axis=1).T.tolist():
        places = np.flatnonzero((widths == wide) & (steps == few))
        for some in np.array_split(places, _timetables(bench, sizes[places])):
            theirs = [calls[place] for place in some.tolist()]
            done = _sprint(bench, theirs, sizes[some], wide) if few else Chunk(bench, models, theirs, sizes[some], wide).run()
            found.update(zip(some.tolist(), done, strict=True))
    return [found[place] for place in range(len(calls))]


def _sprint(bench: Bench, calls: Sequence[Call], sizes: np.ndarray, wide: int) -> list[tuple[Any, ...]]:
    """The results of nodes that sprint, all with as many steps."""
    samples = bench.train_shards.table(np.array([bench.shard(call.node, call.round) for call in calls]))
    course = _course(bench, calls, sizes, wide, samples)
    updates, losses = sprint(bench, calls, samples, course, _rates(bench, calls, course))
    nothing = bench.empty(0)
    return [(update, nothing, facts) for update, facts in zip(updates, _facts(course, losses, slice(None)), strict=True)]


def _given(calls: Sequence[Call]) -> np.ndarray | None:
    """(n,) steps that the calls ask for, 0 for those of the settings; None where none asks."""
    given = [call.args[0] for call in calls]
    return None if all(number is None for number in given) else np.array([number or 0 for number in given])


def _check(bench: Bench, calls: Sequence[Call], sizes: np.ndarray) -> None:
    """Raises JobFailed for the first call that cannot be trained."""
    wanted = (1 + len(bench.algorithm.broadcast)) * bench.size
    models = [call.inputs[0] for call in calls]
    alike = all(model is models[0] for model in models)
    lengths = np.array([model.shape[0] for model in (models[:1] if alike else models)])
    wrong = np.broadcast_to(lengths != wanted, sizes.shape)
    for place in np.flatnonzero(wrong | (sizes == 0)).tolist():
        call = calls[place]
        problem = f"its model has {len(call.inputs[0])} numbers, not {wanted}" if wrong[place] else "it has no training samples"
        raise JobFailed(f"train of node {call.node} in round {call.round} failed: ValueError: {problem}")


def _timetables(bench: Bench, sizes: np.ndarray) -> int:
    settings = bench.training
    passes = settings.epochs if settings.steps is None else 1
    return min(len(sizes), max(1 + int(sizes.sum()) * passes // MOST_NUMBERS, bench.train_shards.readings(sizes)))


@dataclass(frozen=True)
class Tables:
    """What each slot does at each tick. Tensors (ticks, slots, …).

    samples (ticks, slots * width): rows of the samples' array. weights (…, width, 1): what a sample's gradient is multiplied by, 0 for
    padding. rate, count (…, 1): learning rate and number of the step, from 1.
    """

    samples: Tensor
    weights: Tensor
    rate: Tensor
    count: Tensor


class Chunk:
    """Nodes on their way through the slots of a chunk."""

    def __init__(self, bench: Bench, models: Models, calls: Sequence[Call], sizes: np.ndarray, wide: int) -> None:
        self.bench, self.models, self.calls = bench, models, calls
        self.term = bench.algorithm.gradient
        optimizer = bench.optimizer
        self.fused = plain(bench)
        self.averages = type(bench.algorithm).finish is Algorithm.finish
        self.samples = bench.train_shards.table(np.array([bench.shard(call.node, call.round) for call in calls]))
        self.course = _course(bench, calls, sizes, wide, self.samples)
        self.timetable = Timetable.of(self.course.steps, models.count)
        self.rates = _rates(bench, calls, self.course)
        self.tables = self._tables()
        self.state = [torch.zeros_like(models.parameters) for _ in range(optimizer.slots)]
        held = 0 if self.term is None and self.averages else 1 + len(bench.algorithm.broadcast)
        self.model = _Held(bench, [call.inputs[0] for call in calls], models.count, held)
        self.client = _Held(bench, [call.inputs[1] for call in calls], models.count, len(bench.algorithm.client_state))
        self.results: list[Any] = [None] * len(calls)

    def _tables(self) -> Tables:
        course, spread, device = self.course, self.timetable.spread, self.bench.device
        weights = (np.arange(course.width) < course.count[:, None]) / course.count[:, None]
        if self.fused:
            weights *= self.rates[:, None]
        ticks = self.timetable.ticks
        tables = (
            spread(course, course.samples, 0).reshape(ticks, -1),
            spread(course, weights[..., None].astype(np.float32), 0),
            spread(course, self.rates[:, None].astype(np.float32), 0),
            spread(course, course.step[:, None] + 1, 1),
        )
        return Tables(*(torch.from_numpy(table).to(device, non_blocking=True) for table in tables))

    def run(self) -> list[tuple[Any, ...]]:
        """The results in the order of the calls."""
        inputs, targets, _ = self.samples
        count, wide, ticks = self.models.count, self.course.width, self.timetable.ticks
        batch, labels = inputs.new_empty(count * wide, inputs.shape[1]), targets.new_empty(count * wide)
        arrivals, departures = self.timetable.arrivals(), self.timetable.departures()
        losses = torch.empty(ticks, count, wide, device=inputs.device)
        for tick in range(ticks):
            if tick in arrivals:
                self._arrive(arrivals[tick])
            samples = self.tables.samples[tick]
            torch.index_select(inputs, 0, samples, out=batch)
            torch.index_select(targets, 0, samples, out=labels)
            losses[tick] = self._step(tick, batch.view(count, wide, -1), labels.view(count, wide))
            if tick in departures:
                self._depart(departures[tick])
        at = self.timetable.begin[self.course.owner] + self.course.step, self.timetable.slot[self.course.owner]
        return list(zip(*zip(*self.results, strict=True), _facts(self.course, losses, at), strict=True))

    def _step(self, tick: int, inputs: Tensor, targets: Tensor) -> Tensor:
        models, tables, bench = self.models, self.tables, self.bench
        losses = models.step(inputs, targets, tables.weights[tick], bench.loss, fused=self.fused)
        if not self.fused:
            gradient = models.gradient
            if bench.training.clip_norm is not None:
                norms = torch.linalg.vector_norm(gradient, dim=1, keepdim=True)
                gradient.mul_((bench.training.clip_norm / (norms + 1e-6)).clamp_(max=1.0))
            if self.term is not None:
                (start, *broadcast), client = self.model.sections, self.client.sections
                gradient = self.term(gradient, models.parameters, start, tuple(broadcast), tuple(client))
            bench.optimizer.step_rows(models.parameters, gradient, self.state, tables.rate[tick], tables.count[tick])  # type: ignore[attr-defined]
        return losses

    def _arrive(self, turn: Turn) -> None:
        slots = _slots(turn, self.bench.device)
        self.model.take(turn, slots)
        self.client.take(turn, slots)
        self.model.fill(self.models.values, turn, slots)
        for vector in self.state:
            vector[slots] = 0

    def _depart(self, turn: Turn) -> None:
        nodes, slots = turn.nodes.tolist(), _slots(turn, self.bench.device)
        whole = [bool(self.calls[node].args[1]) for node in nodes]
        found = self._averaged(nodes, slots, whole) if self.averages else self._finished(turn, slots, whole)
        for node, *result in zip(nodes, *found, strict=True):
            self.results[node] = result

    def _averaged(self, nodes: list[int], slots: Any, whole: list[bool]) -> tuple[list[Tensor], list[Tensor]]:
        """Updates and states where all that is sent is the change, or the model itself: written straight into the results."""
        end, room = self.models.values[slots], self.bench.room(len(nodes), self.bench.size)

        def start(place: int) -> Tensor:
            found: Tensor = self.calls[nodes[place]].inputs[0]
            return found[: self.bench.size]

        if all(whole) or (self.model.same and not any(whole)):
            for some, out in room.parts:
                out.copy_(end[some]) if whole[0] else torch.sub(end[some], start(0), out=out)
        else:
            for place, row in enumerate(room.rows):
                row.copy_(end[place]) if whole[place] else torch.sub(end[place], start(place), out=row)
        return room.rows, [self.bench.empty(0)] * len(nodes)

    def _finished(self, turn: Turn, slots: Any, whole: list[bool]) -> tuple[list[Tensor], list[Tensor]]:
        """Updates and states as the algorithm makes them."""
        size, trained, values = self.bench.size, self.bench.trained, self.models.values[slots]
        end, (start, *broadcast) = values[:, :trained], self.model.at(slots)
        moved = torch.from_numpy(self._moved[turn.nodes, None]).to(end, non_blocking=True)
        sent, kept = self.bench.algorithm.finish(start, end, tuple(broadcast), tuple(self.client.at(slots)), moved)
        updates, states = self._rows(sent, len(whole)), self._rows(kept, len(whole))
        rewrites, starts = self.bench.algorithm.rewrites, start.expand_as(end)
        for place, (row, all_of_it) in enumerate(zip(updates, whole, strict=True)):
            if all_of_it:
                row[:trained] = starts[place] + sent[0][place] if rewrites else values[place, :trained]
                row[trained:size] = values[place, trained:]
            elif trained < size:
                torch.sub(values[place, trained:], self.calls[turn.nodes[place]].inputs[0][trained:size], out=row[trained:size])
        return updates, states

    def _rows(self, sections: Sections, count: int) -> list[Tensor]:
        """Results that hold the trained sections end to end, with zeros for what is not trained."""
        if not sections:
            return [self.bench.empty(0)] * count
        size, trained = self.bench.size, self.bench.trained
        room = self.bench.room(count, len(sections) * size)
        for some, out in room.parts:
            for place, section in enumerate(sections):
                first = place * size
                out[:, first : first + trained] = section[some]
                if trained < size:
                    out[:, first + trained : first + size] = 0
        return room.rows

    @property
    def _moved(self) -> np.ndarray:
        return np.bincount(self.course.owner, weights=self.rates, minlength=len(self.calls))


def _facts(course: Course, losses: Tensor, at: Any) -> list[dict[str, float]]:
    """Of each node; `at` says where in `losses` those (batches, width) of the course's samples are."""
    within, nodes = np.arange(course.width) < course.count[:, None], len(course.steps)
    sums = np.bincount(course.owner, weights=np.where(within, losses.cpu().numpy()[at].astype(np.float64), 0).sum(1), minlength=nodes)
    seen = np.bincount(course.owner, weights=course.count, minlength=nodes).astype(np.int64)
    rows = zip((sums / seen).tolist(), seen.tolist(), course.steps.tolist(), strict=True)
    return [{"train_loss": loss, "samples": samples, "steps": steps} for loss, samples, steps in rows]


class _Held:
    """Vectors of many nodes cut into sections, those of the nodes in the slots at hand; one row serves all if all have the same.

    sections: none if nobody asks for them.
    """

    def __init__(self, bench: Bench, vectors: Sequence[Tensor | None], count: int, sections: int) -> None:
        self.vectors, self.size, self.trained = vectors, bench.size, bench.trained
        first = vectors[0]
        self.same = first is not None and _one(vectors)
        self.buffer = torch.zeros(count, sections * bench.size, device=bench.device)
        if self.same and sections:
            assert first is not None
            self.buffer = first.unsqueeze(0)
        self.sections = self._cut(self.buffer)

    def _cut(self, rows: Tensor) -> list[Tensor]:
        return [rows[:, first : first + self.trained] for first in range(0, rows.shape[1], self.size)]

    def take(self, turn: Turn, slots: Any) -> None:
        """Takes in the vectors of those who arrive; zeros where there is none."""
        if self.sections and not self.same:
            self.fill(self.buffer, turn, slots)

    def fill(self, rows: Tensor, turn: Turn, slots: Any) -> None:
        """Writes the beginnings of the vectors of those who arrive into their slots' rows (c, n); zeros where there is none."""
        found, length = [self.vectors[node] for node in turn.nodes.tolist()], rows.shape[1]
        if _one(found):
            rows[slots] = 0 if found[0] is None or not len(found[0]) else found[0][:length]
            return
        for slot, vector in zip(turn.slots.tolist(), found, strict=True):
            if vector is None or not len(vector):
                rows[slot] = 0
            else:
                rows[slot].copy_(vector[:length])

    def at(self, slots: Any) -> list[Tensor]:
        """The sections of the nodes in `slots`: views, or one row for all."""
        return self.sections if self.same else self._cut(self.buffer[slots])


def _one(vectors: Sequence[Tensor | None]) -> bool:
    """Whether all are one vector, or all None."""
    first = vectors[0]
    return all(vector is first for vector in vectors) or len({None if vector is None else vector.data_ptr() for vector in vectors}) == 1


def _slots(turn: Turn, device: str) -> Any:
    """The slots of a turn as an index, a slice where they are a run."""
    first, last = int(turn.slots[0]), int(turn.slots[-1])
    return slice(first, last + 1) if last - first + 1 == len(turn.slots) else torch.from_numpy(turn.slots).to(device, non_blocking=True)


def _course(bench: Bench, calls: Sequence[Call], sizes: np.ndarray, wide: int, samples: Table) -> Course:
    def orders(places: np.ndarray, passes: np.ndarray) -> np.ndarray:
        return _orders(bench, [calls[place] for place in places.tolist()], sizes[places], passes)

    return course(sizes, _given(calls), bench.training, width=wide, orders=orders, rows=samples.rows, least=bench.replica.least)


def _orders(bench: Bench, calls: Sequence[Call], sizes: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """The random orders of each call's node, end to end: those of nodes with as many samples and passes at once."""
    lengths = sizes * passes
    starts, found = lengths.cumsum() - lengths, np.empty(lengths.sum(), np.int64)
    groups: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
    for place, (call, size, count) in enumerate(zip(calls, sizes.tolist(), passes.tolist(), strict=True)):
        groups[call.round, size, count].append(place)
    for (number, size, count), places in groups.items():
        keys = bench.order_keys([calls[place].node for place in places], number)
        found[starts[places, None] + np.arange(size * count)] = draws.orders(keys, size, count).reshape(len(places), -1)
    return found


def _rates(bench: Bench, calls: Sequence[Call], course: Course) -> np.ndarray:
    """(s,) the learning rate of every batch."""
    by_round = bench.training.schedule_by == "round"
    times = np.array([call.round for call in calls])[course.owner] if by_round else course.step
    distinct, which = np.unique(times, return_inverse=True)
    return np.array([bench.rate(time, time) for time in distinct.tolist()])[which]
