"""What the job `mix` does in the engine `fast`: weighted sums of many vectors for many nodes as one sparse product.

Columns are taken in blocks: each model's part of one is read once, and is near when every node sums its own from it. Rules that look at
one coordinate at a time get the columns of all nodes that mix as many models, one beside the other.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from coterie.aggregation.kinds import OfColumns, OfGram
from coterie.aggregation.rules import SumRule
from coterie.aggregation.weights import credible
from coterie.core.jobs import Call
from coterie.learning.batched.judging import SEEN, Planned, planned
from coterie.learning.batched.pool import matrices
from coterie.learning.batched.row import Row
from coterie.learning.bench import Bench

BLOCK_NUMBERS = 1 << 21
"""A block of columns of all vectors is at most about this, 8 MiB: more of a row at a time saves more than the cache does."""
BLOCK_COLUMNS = (256, 2048)
"""Fewest and most columns of a block."""
NEAR_NUMBERS = 1 << 18
"""So many numbers, 1 MiB, are put side by side for a rule that looks at coordinates."""


class Product(NamedTuple):
    """A sparse matrix (n, m) by rows, to be multiplied by m vectors: row k has coefficients[starts[k]:…] at rows[starts[k]:…]."""

    vectors: list[Tensor]
    rows: Tensor
    starts: Tensor
    coefficients: Tensor


def mix(bench: Bench, calls: Sequence[Call]) -> dict[int, tuple[Any, ...]]:
    """Place of a call → (model, rule state, facts), for those calls in which nothing is wrong; the others need a closer look."""
    rule = bench.rule
    if isinstance(rule.function, OfColumns) and bench.guard is None:
        return _by_columns(bench, partial(rule.function.function, **rule.params), calls)
    if isinstance(rule, SumRule):
        known = _weighed(bench, calls) if bench.guard is None else planned(bench, calls)
    else:
        known = planned(bench, calls) if isinstance(rule.function, OfGram) and bench.guard is None and rule.inputs <= SEEN else {}
    by_size: dict[int, list[int]] = {}
    for place in known:
        by_size.setdefault(calls[place].inputs[0].shape[0], []).append(place)
    found: dict[int, tuple[Any, ...]] = {}
    for size, places in by_size.items():
        sums, sound = _sums(bench, _product([calls[place] for place in places], [known[place].row for place in places]), size)
        for place, vector, good in zip(places, sums, sound, strict=True):
            if good:
                found[place] = vector, known[place].state, known[place].facts
    return found


def _weighed(bench: Bench, calls: Sequence[Call]) -> dict[int, Planned]:
    """The weighted sums that a rule is. What is not finite shows in the sum."""
    found, nothing = dict[int, Planned](), bench.empty(0)
    for place, call in enumerate(calls):
        (model, state, *others), (weights, origins, _) = call.inputs, call.args
        own = bench.mixing_row((call.node, *origins), weights)
        size = model.shape[0]
        if own is not None and (state is None or not state.shape[0]) and all(vector.shape[0] == size for vector in others):
            found[place] = Planned(own, nothing, {"aggregated": len(weights), "rejected": []})
    return found


def _by_columns(bench: Bench, rule: Callable[[np.ndarray], np.ndarray], calls: Sequence[Call]) -> dict[int, tuple[Any, ...]]:
    """`mix` for a rule that gives each coordinate from that coordinate of the models: `rule` of columns (n, b) of theirs."""
    groups: dict[tuple[int, int], dict[int, list[Tensor]]] = {}
    for place, call in enumerate(calls):
        weights, origins, _ = call.args
        vectors = [call.inputs[0], *call.inputs[2 : 2 + len(origins)]]
        size = vectors[0].shape[0]
        if all(vector.shape[0] == size for vector in vectors) and credible(weights).all() and any(weights):
            groups.setdefault((size, len(vectors)), {})[place] = vectors
    found: dict[int, tuple[Any, ...]] = {}
    nothing = bench.empty(0)
    for (size, count), some in groups.items():
        if bench.rule.refusal(count):
            continue
        known = {vector.data_ptr(): vector for vectors in some.values() for vector in vectors}
        place_of = {pointer: place for place, pointer in enumerate(sorted(known))}
        places = np.array([[place_of[vector.data_ptr()] for vector in vectors] for vectors in some.values()]).T
        function = partial(_of_columns, rule, places)
        columns = max(BLOCK_COLUMNS[0], NEAR_NUMBERS // places.size)
        rows, sound = _by_blocks(bench, [known[pointer] for pointer in place_of], size, (len(some), columns), function)
        for place, vector, good in zip(some, rows, sound, strict=True):
            if good:
                found[place] = vector, nothing, {"aggregated": count, "rejected": []}
    return found


def _of_columns(function: Callable[[np.ndarray], np.ndarray], places: np.ndarray, block: Tensor) -> Tensor:
    """(k, b) what `function` makes of the rows `places` (n, k) of a block (m, b), for each of k nodes."""
    count, nodes = places.shape
    beside = block.numpy().take(places.ravel(), axis=0).reshape(count, nodes * block.shape[1])
    return torch.from_numpy(function(beside)).view(nodes, block.shape[1])


def _product(calls: Sequence[Call], rows: Sequence[Row]) -> Product:
    """The rows of the calls; the matrix's columns are the vectors in the order in which they lie in memory."""
    own = [(call.inputs[0], *call.inputs[2 : 2 + len(call.args[1])]) for call in calls]
    pointers = [[vector.data_ptr() for vector in vectors] for vectors in own]
    known = {pointer: vector for some, vectors in zip(pointers, own, strict=True) for pointer, vector in zip(some, vectors, strict=True)}
    place_of = {pointer: place for place, pointer in enumerate(sorted(known))}
    places = [place_of[some[at]] for some, one in zip(pointers, rows, strict=True) for at in one.order]
    lengths = np.array([len(one.order) for one in rows])
    starts = torch.from_numpy(lengths.cumsum() - lengths)
    numbers = torch.from_numpy(np.concatenate([one.coefficients for one in rows]).astype(np.float32))
    return Product([known[pointer] for pointer in place_of], torch.tensor(places), starts, numbers)


def _sums(bench: Bench, product: Product, size: int) -> tuple[list[Tensor], list[bool]]:
    """The product's rows (size,), and whether all numbers of each are finite, which their sum tells."""

    def summed(block: Tensor) -> Tensor:
        found: Tensor = torch.embedding_bag(block, product.rows, product.starts, False, 0, False, product.coefficients)[0]
        return found

    least, most = BLOCK_COLUMNS
    columns = min(most, max(least, BLOCK_NUMBERS // len(product.vectors)))
    return _by_blocks(bench, product.vectors, size, (len(product.starts), columns), summed)


def _by_blocks(
    bench: Bench, rows: list[Tensor], size: int, shape: tuple[int, int], function: Callable[[Tensor], Tensor]
) -> tuple[list[Tensor], list[bool]]:
    """(k vectors (size,), whether all numbers of each are finite): `function` of each block (m, b) of `rows`, one beside the other.

    shape: k, and the columns of a block.
    """
    count, columns = shape
    vectors, room, checks = matrices(rows), bench.room(count, size), torch.zeros(count)
    block = torch.empty(len(rows), min(columns, size))
    for first in range(0, size, columns):
        last = min(first + columns, size)
        if last - first < block.shape[1]:
            block = torch.empty(len(rows), last - first)
        for some, matrix in vectors:
            block[some].copy_(matrix[:, first:last])
        found = function(block)
        checks += found.sum(1)
        for some, matrix in room.parts:
            matrix[:, first:last].copy_(found[some])
    return room.rows, checks.isfinite().tolist()
