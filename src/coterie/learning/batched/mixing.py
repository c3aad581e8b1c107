"""Weighted sums of many vectors for many nodes as one sparse product: what the job `mix` does in the engine `fast`.

Columns are taken in blocks: each model's part of one is read once, and is near when every node sums its own from it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from coterie.aggregation.rules import SumRule
from coterie.core.jobs import Call
from coterie.learning.batched.pool import matrices
from coterie.learning.batched.row import Row
from coterie.learning.bench import Bench

BLOCK_NUMBERS = 1 << 21
"""A block of columns of all vectors is at most about this, 8 MiB: more of a row at a time saves more than the cache does."""
BLOCK_COLUMNS = (256, 2048)
"""Fewest and most columns of a block."""


class Product(NamedTuple):
    """A sparse matrix (n, m) by rows, to be multiplied by m vectors: row k has coefficients[starts[k]:…] at rows[starts[k]:…]."""

    vectors: list[Tensor]
    rows: Tensor
    starts: Tensor
    coefficients: Tensor


def mix(bench: Bench, calls: Sequence[Call]) -> dict[int, tuple[Any, ...]]:
    """Place of a call → (model, rule state, facts), for those calls in which nothing is wrong; the others need a closer look."""
    found: dict[int, tuple[Any, ...]] = {}
    if not isinstance(bench.rule, SumRule):
        return found
    by_size: dict[int, dict[int, Row]] = {}
    for place, call in enumerate(calls):
        (model, state, *others), (weights, origins, _) = call.inputs, call.args
        own = bench.mixing_row((call.node, *origins), weights)
        size = model.shape[0]
        if own is not None and (state is None or not state.shape[0]) and all(vector.shape[0] == size for vector in others):
            by_size.setdefault(size, {})[place] = own
    nothing = bench.empty(0)
    for size, rows in by_size.items():
        sums, sound = _sums(bench, _product([calls[place] for place in rows], list(rows.values())), size)
        for place, vector, good in zip(rows, sums, sound, strict=True):
            if good:
                facts = {"aggregated": len(calls[place].args[0]), "rejected": []}
                found[place] = vector, nothing, facts
    return found


def _product(calls: Sequence[Call], rows: Sequence[Row]) -> Product:
    """The rows of the calls; the matrix's columns are the vectors in the order in which they lie in memory."""
    own = [(call.inputs[0], *call.inputs[2:]) for call in calls]
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
    count, vectors = len(product.starts), matrices(product.vectors)
    room, checks = bench.room(count, size), torch.zeros(count)
    least, most = BLOCK_COLUMNS
    columns = min(most, max(least, BLOCK_NUMBERS // len(product.vectors)))
    block = torch.empty(len(product.vectors), min(columns, size))
    for first in range(0, size, columns):
        last = min(first + columns, size)
        if last - first < block.shape[1]:
            block = torch.empty(len(product.vectors), last - first)
        for some, matrix in vectors:
            block[some].copy_(matrix[:, first:last])
        found = torch.embedding_bag(block, product.rows, product.starts, False, 0, False, product.coefficients)[0]
        checks += found.sum(1)
        for some, matrix in room.parts:
            matrix[:, first:last].copy_(found[some])
    return room.rows, checks.isfinite().tolist()
