"""What attackers send in place of their updates."""

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from coterie.attacks.attack import UpdateAttack, build
from coterie.attacks.jobs import Play
from coterie.attacks.stealth import unnoticed
from coterie.core.jobs import Call
from coterie.learning.bench import Bench
from coterie.learning.calls import one_by_one


@one_by_one("attack")
def attack(bench: Bench, call: Call) -> tuple[Any, ...]:
    """The job: inputs (start, before or None, history or None, *vectors), args of `Play`; gives (*what is sent, history).

    An attack that asks for something nobody has yet (the last aggregate, in the first round) is not played, nor is one on vectors that
    are not finite: all send their own.
    """
    play, (start, before, history, *vectors) = Play(*call.args), call.inputs
    size = bench.size
    thing = build(play.name, **dict(play.params))
    base = start[:size] if play.whole and not thing.function.of_models else None
    rows = torch.stack([vector[:size] for vector in vectors])
    if base is not None:
        rows = rows - base
    own, honest = rows[: play.attackers], rows[play.attackers :]
    known = _inputs(bench, call, play, thing, (own, honest, before))
    found: Any = own
    if thing.inputs - thing.optional <= known.keys() and bool(rows.isfinite().all()):
        if "history" in thing.inputs:
            known["history"] = None if history is None or not len(history) else history
        found = thing(honest if len(honest) else own, play.attackers, **known)
    state = bench.empty(0)
    if isinstance(found, tuple):
        found, last = found
        state = torch.from_numpy(np.asarray(last, np.float32)) if not isinstance(last, Tensor) else last.float()
    if play.stealth is not None:
        passes = unnoticed(found.numpy(), rows.numpy() if len(honest) else own.numpy(), play.stealth)
        found = torch.where(torch.from_numpy(passes)[:, None], found, own)
    wanted = range(play.attackers) if play.only is None else (play.only,)
    return (*(_sent(bench, vectors[place], found[place], base) for place in wanted), state)


def _sent(bench: Bench, own: Tensor, found: Tensor, base: Tensor | None) -> Tensor:
    """The attacker's own vector with its change of the model replaced; further sections of an algorithm stay its own."""
    sent = bench.empty(own.shape[0])
    sent.copy_(own)
    sent[: bench.size] = found if base is None else base + found
    return sent


def _inputs(bench: Bench, call: Call, play: Play, thing: UpdateAttack, seen: tuple[Tensor, Tensor, Tensor | None]) -> dict[str, Any]:
    """The reserved inputs that the attack asks for, as far as they are granted and there."""
    (own, honest, before), wanted, found = seen, thing.inputs, dict[str, Any]()
    size = bench.size
    if "own" in wanted and "own" in play.knows:
        found["own"] = own
    if "received" in wanted and "received" in play.knows:
        if play.target is not None:
            found["received"] = honest[play.target]
        elif before is not None:
            found["received"] = call.inputs[0][:size] - before[:size]
    if "rule" in wanted and "rule" in play.knows:
        found["rule"] = functools.partial(_aggregate, bench, call, None if play.target is None else honest[play.target].numpy())
    if "key" in wanted:
        found["key"] = bench.draw(call.node, f"attack/{play.name}", call.round)
    if "weights" in wanted and play.weights is not None:
        found["weights"] = np.array(play.weights)
    if "weight" in wanted and play.weight is not None:
        found["weight"] = play.weight
    return found


def _aggregate(bench: Bench, call: Call, own: np.ndarray | None, updates: np.ndarray) -> np.ndarray:
    """The scenario's aggregation rule over (n, d), all weighing the same, as who attacks it imagines it."""
    makers: dict[str, Any] = {
        "own": lambda: np.zeros(updates.shape[1], updates.dtype) if own is None else own,
        "start": call.inputs[0][: bench.size].numpy,
        "history": lambda: None,
        "progress": lambda: call.round / bench.rounds if bench.rounds else 0.0,
        "key": lambda: bench.draw(call.node, "imagined aggregation", call.round),
        "layout": lambda: bench.network.layout,
    }
    found = bench.rule(updates, None, **{name: makers[name]() for name in bench.rule.inputs})
    vector: np.ndarray = found[0] if isinstance(found, tuple) else found
    return vector
