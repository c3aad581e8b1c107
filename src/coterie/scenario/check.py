"""What is wrong between the settings of a scenario: `check` as far as it shows without its data, `check_with_data` the rest."""

import math
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from coterie.core.errors import Fault, ScenarioError
from coterie.learning.executors import cluster
from coterie.scenario import conditions, guarding, plotting
from coterie.scenario.choice import Choice
from coterie.scenario.faults import join
from coterie.scenario.protection import Gathering, gatherings, named
from coterie.scenario.scenario import Scenario
from coterie.scenario.schedule_check import schedule_faults
from coterie.tasks.stored import Stored

if TYPE_CHECKING:
    from coterie.scenario.setup import Setup

MOST_SAMPLES_TRIED = 256
"""Samples that the user's own loss and metrics are tried on before a run."""
MOST_NUMBERS_TRIED = 4_000_000
"""Numbers, in all, that an aggregation rule is tried on before a run."""


def check(scenario: Scenario) -> list[Fault]:
    """Every fault that shows without the data; an empty list where there is none."""
    return [
        *_algorithm(scenario),
        *_participation(scenario),
        *_nodes(scenario),
        *_architecture(scenario),
        *_metrics(scenario),
        *_parts(scenario),
        *schedule_faults(scenario),
        *_injected(scenario),
        *_membership(scenario),
        *_executor(scenario),
        *_federation(scenario),
    ]


def _algorithm(scenario: Scenario) -> Iterator[Fault]:
    reason = getattr(scenario.algorithm.entry.thing, "centralized_only", "")
    if scenario.decentralized and reason:
        fix = "write architecture: centralized, or another algorithm"
        yield Fault("algorithm", f"{scenario.algorithm.name} needs a server: {reason}", fix)


def _participation(scenario: Scenario) -> Iterator[Fault]:
    count = scenario.participation.params.get("count")
    if scenario.nodes is not None and isinstance(count, int) and count > scenario.nodes:
        yield Fault(
            "participation", f"{count} nodes are to take part and there are {scenario.nodes}", f"write at most {scenario.nodes}, or all"
        )


def _nodes(scenario: Scenario) -> Iterator[Fault]:
    partition = scenario.partition
    if partition.pooled is not None and scenario.nodes != 1:
        yield Fault("partition.pooled", "brings everything to one node, and there are others", "write nodes: 1")
    if scenario.nodes is None and partition.name in {"iid", "dirichlet", "shards", "pathological", "log-normal", "power-law"}:
        yield Fault("nodes", f"is missing: the partition {partition.name} does not say how many there are", "write nodes: 16")


def _architecture(scenario: Scenario) -> Iterator[Fault]:
    if scenario.decentralized and not scenario.roles.aggregator.everybody:
        fix = "leave it out, or write architecture: centralized, where several aggregators may exchange models"
        yield Fault("roles.aggregator", "in a decentralized federation everybody aggregates", fix)


def _metrics(scenario: Scenario) -> Iterator[Fault]:
    """A bound on something that is never measured."""
    measured = {"accuracy", "loss", "r2"}
    measured |= {name.rpartition(":")[2].rpartition(".")[2] for name in scenario.training.metrics}
    known = measured | {f"{name}_own" for name in measured} | {"train_loss"}
    for place, rule in (("until.target", scenario.until.target), ("until.converged", scenario.until.converged)):
        metric = None if rule is None else rule.metric
        if metric is not None and metric not in known:
            yield Fault(f"{place}.metric", f"{metric!r} is not measured", f"write one of {', '.join(sorted(known))}")
    if scenario.until.converged is not None:
        looks = scenario.until.rounds // scenario.evaluation.every
        if scenario.until.converged.patience >= looks and scenario.evaluation.every > 1:
            problem = f"{looks} evaluations are too few to see {scenario.until.converged.patience} without improvement"
            yield Fault("evaluation.every", problem, "evaluate more often, or be less patient")


def _injected(scenario: Scenario) -> Iterator[Fault]:
    """Faults that cannot be injected into this federation."""
    if scenario.faults is None:
        return
    candidates = [] if scenario.nodes is None or scenario.decentralized else scenario.roles.aggregator.ids(scenario.nodes).tolist()
    lone = frozenset(candidates if len(candidates) == 1 else ())
    role, schedule = scenario.roles.aggregator, scenario.schedule.made()
    moves = len(candidates) > 1 and (role.count is not None or role.share is not None)
    late = frozenset(candidates if moves and (schedule.asynchronous or schedule.staleness_rounds) else ())
    yield from scenario.faults.mistakes(scenario.nodes, scenario.until, lone, late)


def _membership(scenario: Scenario) -> Iterator[Fault]:
    """Nodes that cannot come and go like that."""
    if scenario.membership is None:
        return
    without_rounds = scenario.schedule.name == "asynchronous" and scenario.decentralized
    moving = scenario.architecture == "semi-decentralized"
    yield from scenario.membership.mistakes(scenario.nodes, scenario.until.rounds, moving=moving, without_rounds=without_rounds)


def _executor(scenario: Scenario) -> Iterator[Fault]:
    """What workers cannot do, or are not there for."""
    name, device = scenario.executor.name, scenario.training.device
    if name == "ray":
        try:
            cluster.require()
        except ScenarioError as error:
            yield from error.faults
    if name in {"processes", "ray"} and device != "cpu":
        yield Fault("executor.name", f"the workers of {name} compute on the CPU, not on {device}", "write inline, or training.device: cpu")


def _parts(scenario: Scenario) -> Iterator[Fault]:
    """What registered things say of their own parameters when they are made."""
    for place, choice in _choices(scenario):
        if choice.own or not is_dataclass(choice.entry.thing):
            continue
        thing: Any = choice.entry.thing
        try:
            thing(**choice.params)
        except ScenarioError as error:
            for fault in error.faults:
                yield fault if fault.place.startswith(place) else Fault(join(place, fault.place), fault.problem, fault.fix)


def _choices(scenario: Scenario) -> Iterator[tuple[str, Choice]]:
    yield "algorithm", scenario.algorithm
    yield "training.optimizer", scenario.training.optimizer
    yield "training.learning_rate_schedule", scenario.training.learning_rate_schedule
    yield "device", scenario.device
    yield "network", scenario.network
    yield "availability", scenario.availability
    if scenario.partition.chosen is not None:
        yield "partition", scenario.partition


def _federation(scenario: Scenario) -> Iterator[Fault]:
    """What is wrong with the graph and the roles on it, where the number of nodes does not depend on the data."""
    from coterie.scenario.setup import Setup

    if scenario.nodes is None:
        return
    try:
        yield from Setup(scenario).faults()
    except ScenarioError as error:
        yield from error.faults


def check_with_data(setup: "Setup") -> list[Fault]:
    """Every fault that shows once the data and the user's own code are loaded, which this does; trains nothing, but tries a
    training function of the user's own on one batch.

    For scenarios that `check` finds nothing wrong with.
    """
    try:
        kind = setup.task.kind
    except ScenarioError as error:
        return list(error.faults)
    faults = setup.training.faults(kind, setup.scenario.folder, setup.algorithm)
    try:
        _ = setup.network
        if setup.scenario.training.device != "cpu":
            setup.bench()
        if setup.scenario.nodes is None:
            faults += setup.faults()
    except ScenarioError as error:
        faults += error.faults
    return faults or [
        *plotting.faults_with_data(setup),
        *_metric_of_kind(setup),
        *conditions.faults(setup),
        *_whole_parts(setup),
        *_own_functions(setup),
        *_own_training(setup),
        *_without_data(setup),
        *guarding.faults(setup),
        *_too_few(setup),
    ]


def _whole_parts(setup: "Setup") -> Iterator[Fault]:
    """What takes a node's whole part at once, where that is more than the data set may hold in memory."""
    stored, training = setup.task.inputs, setup.training
    if not isinstance(stored, Stored):
        return
    try:
        stored.source.check_held(setup.task.largest, "the training part of a node")
    except ScenarioError as error:
        fault = error.faults[0]
        if training.batch_size is None:
            yield Fault("training.batch_size", fault.problem, f"write e.g. 256; or {fault.fix}")
        if training.function is not None:
            yield Fault("training.function", f"it gets a node's samples at once, and {fault.problem}", fault.fix)
        if "losses" in setup.rule.inputs:
            yield Fault("aggregation", f"{setup.rule.name} looks at all of a node's samples at once, and {fault.problem}", fault.fix)


def _metric_of_kind(setup: "Setup") -> Iterator[Fault]:
    """A target for accuracy where numbers are predicted, or the other way round."""
    wrong = "r2" if setup.task.metric == "accuracy" else "accuracy"
    until = setup.scenario.until
    for place, rule in (("until.target.metric", until.target), ("until.converged.metric", until.converged)):
        if (
            rule is not None
            and rule.metric is not None
            and rule.metric.removesuffix("_own") == wrong
            and wrong not in setup.training.metrics
        ):
            yield Fault(place, f"{rule.metric} is not measured in a {setup.task.kind}", f"write {setup.task.metric}")


def _own_functions(setup: "Setup") -> Iterator[Fault]:
    """A loss or metric of the user's own that fails on what the untrained model gives, or a loss that is no number there."""
    for place, name, measure in _tries(setup):
        try:
            value = measure()
        except Exception as error:  # noqa: BLE001 - it is the user's code
            yield Fault(place, f"{name} fails on the untrained model: {type(error).__name__}: {error}", "correct the function")
        else:
            if place == "training.loss" and not math.isfinite(value):
                yield Fault(place, f"{name} is {value} for the untrained model", "correct the function")


def _tries(setup: "Setup") -> Iterator[tuple[str, str, Callable[[], float]]]:
    """The user's own loss and metrics: place, name, and a function that tries it on some of the common test set."""
    loss, metrics = setup.training.loss or "", [name for name in setup.training.metrics if ":" in name]
    if ":" not in loss and not metrics:
        return
    import torch

    bench = setup.bench("exact")
    inputs, targets = (part[:: 1 + len(part) // MOST_SAMPLES_TRIED] for part in bench.common)
    bench.replica.load(torch.from_numpy(setup.network.initial(setup.scenario.seed)))
    outputs = bench.replica.outputs(inputs)
    if ":" in loss:
        yield "training.loss", loss, lambda: float(bench.loss.gradient(outputs.clone(), targets)[0])
    for name in metrics:
        yield "training.metrics", name, partial(bench.metrics[name.rpartition(":")[2].rpartition(".")[2]], outputs, targets)


def _own_training(setup: "Setup") -> Iterator[Fault]:
    """A training function of the user's own that cannot train the model on a batch of the first node's."""
    name = setup.training.function
    if name is None or not len(setup.trainers):
        return
    from coterie.learning.own_training import tried

    try:
        problem = tried(setup.bench("exact"), int(setup.trainers[0]))
    except ScenarioError as error:
        yield from (Fault(fault.place, f"{name} {fault.problem}", fault.fix) for fault in error.faults)
        return
    if problem:
        yield Fault("training.function", f"{name} {problem}", "correct the function")


def _without_data(setup: "Setup") -> Iterator[Fault]:
    """A rule that looks at the aggregator's own samples, and an aggregator that has none."""
    wanted = dict.fromkeys(sorted({"losses", "reference"} & setup.rule.inputs), setup.rule.name)
    if setup.guard is not None and setup.guard.needs_losses:
        wanted.setdefault("losses", "detection" if setup.guard.detection.needs_losses else "trust")
    poor = np.setdiff1d(setup.roles.aggregator.candidates, setup.trainers)
    if wanted and len(poor):
        who = " and ".join(sorted(set(wanted.values())))
        problem = f"{who} asks for {' and '.join(wanted)}, for which node {poor[0]}, an aggregator that never trains, has no data"
        place = "aggregation" if setup.rule.name in wanted.values() else who
        yield Fault(place, problem, "let aggregators train too, or choose another rule")


def _too_few(setup: "Setup") -> Iterator[Fault]:
    """A rule that an honest aggregator gets too few updates for, or too few models of fellow aggregators, in every round."""
    if setup.scenario.topology.name == "isolated":
        return
    by_reason: dict[str, list[Gathering]] = {}
    tried: dict[int, str] = {}
    for one in gatherings(setup):
        if one.exchange and one.node in setup.attackers:
            continue
        if one.most not in tried:
            tried[one.most] = _tried(setup, one.most)
        if tried[one.most]:
            by_reason.setdefault(f"{tried[one.most]}{' to exchange' if one.exchange and not setup.coupled else ''}", []).append(one)
    for reason, some in by_reason.items():
        where = named(tuple(sorted({one.node for one in some})))
        fix = f"tolerate at most {min(setup.rule.stands(one.most) for one in some)}, add edges or nodes, or choose another rule"
        yield Fault("aggregation", f"{reason} ({where})", fix)


def _tried(setup: "Setup", count: int) -> str:
    """Why the rule cannot aggregate `count` models, found by letting it, or an empty string; raises ScenarioError where it fails."""
    if setup.rule.function.__module__.startswith("coterie."):
        return setup.rule.refusal(count)
    import torch  # a rule of the user's own is tried on what it will get

    size = setup.network.layout.size
    cut = min(size, max(1, MOST_NUMBERS_TRIED // count))
    try:
        return setup.rule.refusal(count, torch.from_numpy(setup.network.initial(setup.scenario.seed)[:cut]))
    except ScenarioError:
        if cut < size:  # a rule may count on whole models; the run tells
            return ""
        raise
