"""What a federation is compared with, as ordinary scenarios derived from it.

All three have the same data, model, optimizer, learning rate and seed, and so start from the same initial model:

- `centralized`: all training data at one node, which trains for as many rounds, on as many samples in all.
- `distributed`: one optimizer step a round at every node on its own shard, the mean of which is one step of synchronous
  data-parallel SGD (without momentum, which would not outlive a round); it has as many rounds as it takes for as many samples
  in all. What no federation of the same nodes can beat by much, at a price in messages.
- `local`: every node alone on its own data, in every round, with as many passes as a node that takes part each time. With
  partial participation it therefore trains on more samples than the federation: a node alone need not wait for its turn.
"""

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coterie.scenario.part import Part
from coterie.scenario.scenario import Baseline, Scenario

SUM = {"algorithm": "fedavg", "aggregation": "mean", "sharing": "plain", "participation": "all", "attacks": [], "baselines": []}


class Course(NamedTuple):
    """How a run went, as far as its baselines have to match it.

    sizes: (nodes,) training samples of each node that trains. rounds: how many there were. samples: how many were trained on
    in all, repeats counted.
    """

    sizes: NDArray[np.int64]
    rounds: int
    samples: int


def derive(scenario: Scenario, baseline: Baseline, course: Course) -> Scenario:
    """The scenario of a baseline of `scenario`, to be compared with a run of it that went as `course` says."""
    changes = {"centralized": _centralized, "distributed": _distributed, "local": _local}[baseline](scenario, course)
    name = f"{scenario.name[:80]} ({baseline})"
    changes |= _conditions(scenario, changes["nodes"])
    return scenario.changed(**SUM, preset=None, roles={}, name=name, schedule="synchronous", **changes)


def _conditions(scenario: Scenario, nodes: int) -> dict[str, Any]:
    """The same device and network, what is said of single nodes only where those are the same; everybody there at all times, no faults."""
    device, network = _settings(scenario.device), _settings(scenario.network)
    if nodes != scenario.nodes:
        device, network = device | {"groups": []}, network | {"groups": [], "links": []}
    return {"environment": None, "device": device, "network": network, "availability": "always", "faults": None, "membership": None}


def _centralized(scenario: Scenario, course: Course) -> dict[str, Any]:
    training, total = scenario.training, int(course.sizes.sum())
    passes = course.samples / (course.rounds * total)
    if training.batch_size is None or abs(passes - round(passes)) < 0.01 * passes:
        length = {"epochs": max(1, round(passes)), "steps": None}
    else:
        length = {"epochs": None, "steps": max(1, round(passes * total / min(training.batch_size, total)))}
    return {
        "nodes": 1,
        "partition": {**_settings(scenario.partition), "pooled": len(course.sizes)},
        "architecture": "centralized",
        "topology": "star",
        "training": {**_settings(scenario.training), **length},
        "until": course.rounds,
    }


def _distributed(scenario: Scenario, course: Course) -> dict[str, Any]:
    batch = scenario.training.batch_size
    a_round = int((course.sizes if batch is None else np.minimum(course.sizes, batch)).sum())
    rounds = max(1, round(course.samples / a_round))
    optimizer = _settings(scenario.training.optimizer)
    if optimizer.get("momentum"):
        optimizer |= {"momentum": 0.0, "nesterov": False}
    return {
        "nodes": len(course.sizes),
        "architecture": "centralized",
        "topology": "star",
        "training": {**_settings(scenario.training), "optimizer": optimizer, "epochs": None, "steps": 1},
        "until": rounds,
        "evaluation": {"every": max(1, ceil(scenario.evaluation.every * rounds / course.rounds))},
    }


def _local(_scenario: Scenario, course: Course) -> dict[str, Any]:
    return {
        "nodes": len(course.sizes),
        "architecture": "decentralized",
        "topology": "isolated",
        "until": course.rounds,
    }


def _settings(part: Part) -> dict[str, Any]:
    """A part with all its settings, written out."""
    plain: Any = part.model_dump(mode="json")
    return plain if isinstance(plain, dict) else {"name": plain}
