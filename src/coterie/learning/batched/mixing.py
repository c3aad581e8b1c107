"""Weighted sums of many vectors for many nodes as one sparse product: what the job `mix` does in the engine `fast`.

Columns are taken in blocks, so that all models' part of a block stays in the cache while every node sums its own from it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from coterie.aggregation.rules import SumRule
from coterie.aggregation.weights import credible
from coterie.core.jobs import Call
from coterie.learning.bench import Bench

BLOCK = 2048
"""Columns at a time."""


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
    by_size: dict[int, list[int]] = {}
    for place, call in enumerate(calls):
        if _plain(call):
            by_size.setdefault(call.inputs[0].shape[0], []).append(place)
    nothing = bench.empty(0)
    for size, places in by_size.items():
        sums, sound = _sums(bench, _product(bench, [calls[place] for place in places]), size)
        for place, vector, good in zip(places, sums, sound, strict=True):
            if good:
                facts = {"aggregated": len(calls[place].args[0]), "rejected": []}
                found[place] = vector, nothing, facts
    return found


def _plain(call: Call) -> bool:
    """Whether all vectors are of one size and all weights possible."""
    (model, rule, *others), (weights, _) = call.inputs, call.args
    alike = all(vector.shape == model.shape for vector in others)
    return alike and (rule is None or not rule.shape[0]) and bool(credible(weights).all()) and any(weights)


def _product(bench: Bench, calls: Sequence[Call]) -> Product:
    """Each row's vectors in the order of node ids."""
    vectors: list[Tensor] = []
    known: dict[int, int] = {}
    rows: list[int] = []
    coefficients, starts = [], []
    for call in calls:
        (model, _, *others), (weights, origins) = call.inputs, call.args
        ids, own = (call.node, *origins), (model, *others)
        order = sorted(range(len(ids)), key=ids.__getitem__)
        for place in order:
            vector = own[place]
            row = known.setdefault(vector.data_ptr(), len(vectors))
            if row == len(vectors):
                vectors.append(vector)
            rows.append(row)
        starts.append(len(rows) - len(order))
        coefficients.append(bench.coefficients(tuple([weights[place] for place in order])))
    return Product(vectors, torch.tensor(rows), torch.tensor(starts), torch.from_numpy(np.concatenate(coefficients).astype(np.float32)))


def _sums(bench: Bench, product: Product, size: int) -> tuple[list[Tensor], list[bool]]:
    """The product's rows (size,), and whether all numbers of each are finite, which their sum tells."""
    count = len(product.starts)
    room, checks = bench.room(count, size), torch.zeros(count)
    outs = [torch.split(out, BLOCK, 1) for _, out in room.parts]
    lengths = [len(out) for _, out in room.parts]
    for place, block in enumerate(_blocks(bench, product.vectors)):
        found = torch.embedding_bag(block, product.rows, product.starts, False, 0, False, product.coefficients)[0]
        checks += found.sum(1)
        for out, part in zip(outs, torch.split(found, lengths), strict=True):
            out[place].copy_(part)
    return room.rows, checks.isfinite().tolist()


def _blocks(bench: Bench, vectors: Sequence[Tensor]) -> list[Tensor]:
    """The matrix of all vectors (m, d), cut into blocks of columns, each contiguous."""
    count, whole = len(vectors), vectors[0].shape[0] // BLOCK
    blocks: list[Tensor] = []
    if whole:
        main = bench.pool.block(1, whole * count * BLOCK).view(whole, count, BLOCK)
        for place, vector in enumerate(vectors):
            main[:, place].copy_(vector[: whole * BLOCK].view(whole, BLOCK))
        blocks += main.unbind(0)
    if vectors[0].shape[0] % BLOCK:
        blocks.append(torch.stack([vector[whole * BLOCK :] for vector in vectors]))
    return blocks
