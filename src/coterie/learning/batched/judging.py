"""What guards and rules make of the models that many nodes of a graph mix in one round, looked at together, but for the sums."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from coterie.aggregation.breakdown import TooFew
from coterie.aggregation.rules import SumRule
from coterie.aggregation.weights import credible
from coterie.core.jobs import Call
from coterie.learning.aggregating import Desk, Meaning, Rows
from coterie.learning.batched.row import Row
from coterie.learning.bench import Bench
from coterie.learning.together import Together


class Planned(NamedTuple):
    """What a call comes to but for the sum. row: what is summed; state: of guard and rule; facts: what there is to tell."""

    row: Row
    state: Tensor
    facts: dict[str, Any]


SEEN = frozenset({"own"})
"""What rules may ask for beside the models to be planned here."""


def planned(bench: Bench, calls: Sequence[Call]) -> dict[int, Planned]:
    """Place of a call → what it comes to, where all models are sound and were looked at together.

    With a guard, of a rule that is a weighted sum: what the guard lets through. Without: of a rule that goes by inner products.
    """
    together, found = Together(calls), dict[int, Planned]()
    for place, call in enumerate(calls):
        (model, state, *others), (weights, origins, raters) = call.inputs, call.args
        vectors, ids = (model, *others[: len(origins)]), (call.node, *origins)
        size = model.shape[0]
        if not (credible(weights).all() and any(weights) and all(one.shape[0] == size and together.finite(one) for one in vectors)):
            continue
        order = sorted(range(len(ids)), key=ids.__getitem__)
        rows = Rows([vectors[at] for at in order], [weights[at] for at in order], [ids[at] for at in order])
        opinions = dict(zip(raters, others[len(origins) :], strict=True))
        meaning = Meaning(_as_it_is, models=True, opinions=opinions, together=together)
        desk = Desk(bench, call, meaning, bench.empty(0) if state is None else state)
        row = _let_through(desk, rows, order) if bench.guard is not None else _shared(desk, rows, order)
        if row is not None:
            found[place] = Planned(row, desk.state, desk.facts(rows))
    return found


def _let_through(desk: Desk, rows: Rows, order: list[int]) -> Row | None:
    """The mixing weights of what the guard lets through."""
    rule, guard, together = desk.bench.rule, desk.bench.guard, desk.meaning.together
    assert isinstance(rule, SumRule)
    assert guard is not None
    assert together is not None
    looked = together.looked(guard, rows.vectors)
    if looked is None:
        return None
    judgement = desk.judged(rows, looked[0].points, {}, looked)
    if not judgement.weights.sum() > 0:
        return None
    return Row([order[at] for at in judgement.kept.tolist()], rule.coefficients(tuple(judgement.weights.tolist())))


def _shared(desk: Desk, rows: Rows, order: list[int]) -> Row | None:
    """The shares that the rule gives."""
    try:
        shares = desk.shares(rows)
    except TooFew:
        return None
    if shares is None:
        return None
    used = np.flatnonzero(shares)
    return Row([order[at] for at in used.tolist()], shares[used]) if len(used) else None


def _as_it_is(row: Tensor) -> Tensor:
    return row
