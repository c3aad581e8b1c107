"""The jobs of aggregation, as data. Known without torch; what runs them is imported by executors."""

import math
from typing import NamedTuple

from coterie.core.jobs import Handle, Job, job_function

job_function("aggregate", "coterie.learning.aggregating", "aggregate")
job_function("mix", "coterie.learning.aggregating", "mix")
job_function("shift", "coterie.learning.shifting", "shift")


class Aggregated(NamedTuple):
    """What an aggregator has after a round.

    model: the next published vector (the model, then the algorithm's broadcast sections). server, rule: the states of the
    algorithm and of the aggregation rule (empty where there is none). facts: aggregated (how many updates were), rejected
    (the origins of those left out).
    """

    model: Handle
    server: Handle
    rule: Handle
    facts: Handle


class Mixed(NamedTuple):
    """As `Aggregated`, for models that are mixed; `aggregated` counts the node's own."""

    model: Handle
    rule: Handle
    facts: Handle


def aggregate(
    model: Handle,
    server: Handle | None,
    rule: Handle | None,
    updates: tuple[Handle, ...],
    *,
    weights: tuple[float, ...],
    origins: tuple[int, ...],
    fraction: float,
    node: int,
    round: int,
    cap: float = math.inf,
    scales: tuple[float, ...] = (),
    lags: tuple[int, ...] = (),
) -> Job[Aggregated]:
    """The aggregation rule over `updates`, then the algorithm's server step on the published vector `model`.

    weights, origins: of each update; in whatever order they come, rows are ordered by origin. cap: no weight counts for more than so many
    times their median. scales: what "delta" of each update is multiplied by beforehand, if not 1. lags: how many rounds behind each is, if
    any. fraction: the share of all trainers that took part. An update of the wrong size, with a number that is not finite, or with an
    impossible weight is left out; with none left the model stays as it is.
    """
    outputs = Aggregated(Handle(), Handle(), Handle(), Handle())
    args = (weights, origins, fraction, cap, scales, lags)
    return Job("aggregate", (model, server, rule, *updates), args, outputs, node=node, round=round)


def mix(
    model: Handle,
    others: tuple[Handle, ...],
    rule: Handle | None,
    *,
    weights: tuple[float, ...],
    origins: tuple[int, ...],
    node: int,
    round: int,
    opinions: tuple[tuple[int, Handle], ...] = (),
) -> Job[Mixed]:
    """The aggregation rule over the node's own published vector and those of others.

    origins: of the others. weights: the node's own first, then those of the others. Rows are ordered by node id, the own among
    them. What is wrong with another's model makes it be left out, as in `aggregate`. opinions: (whose, its rule state).
    """
    outputs = Mixed(Handle(), Handle(), Handle())
    inputs = (model, rule, *others, *[said for _, said in opinions])
    return Job("mix", inputs, (weights, origins, tuple([rater for rater, _ in opinions])), outputs, node=node, round=round)


class Shifted(NamedTuple):
    """The model moved; facts as in `Aggregated`."""

    model: Handle
    facts: Handle


def shift(model: Handle, plus: Handle, minus: Handle | None, *, weight: float, origin: int, node: int, round: int) -> Job[Shifted]:
    """The published vector `model` + weight · (plus - minus); without `minus`, + weight · plus.

    origin: whose `plus` is. If it has the wrong size or the result is not finite, the model stays as it is and the facts name the origin.
    """
    towards = minus is model  # a mean of two
    return Job(
        "shift", (model, plus, None if towards else minus), (weight, origin, towards), Shifted(Handle(), Handle()), node=node, round=round
    )
