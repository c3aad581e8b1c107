"""Baselines: ordinary scenarios on the same samples, comparable in how many are trained on."""

import numpy as np
import pytest

from coterie.scenario import Scenario
from coterie.scenario.baselines import Course, derive
from coterie.scenario.check import check
from coterie.scenario.setup import Setup

BASE = {
    "name": "clinics",
    "task": "digits",
    "nodes": 6,
    "seed": 3,
    "until": {"rounds": 50, "target": 0.99},
    "partition": {"name": "dirichlet", "alpha": 0.3},
    "architecture": "decentralized",
    "topology": "ring",
    "algorithm": "fedprox",
    "aggregation": "median",
    "training": {"batch_size": 16, "optimizer": {"learning_rate": 0.05, "momentum": 0.9, "nesterov": True}},
    "evaluation": 2,
    "baselines": ["centralized", "local", "distributed"],
}
NAMES = ("centralized", "local", "distributed")


def course(scenario, rounds=10, share=1.0):
    setup = Setup(scenario)
    return Course(setup.task.train.sizes, rounds, round(rounds * share * setup.workload.samples.sum()))


def trained(scenario):
    """How many samples a run to the last round trains on, when everybody takes part."""
    return Setup(scenario).workload.samples.sum() * scenario.until.rounds


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "change", [{}, {"training": {"epochs": 3, "batch_size": "all"}}, {"training": {"steps": 5, "batch_size": 8}}, {"nodes": 1}]
)
def test_a_baseline_is_an_ordinary_scenario_that_trains_on_as_many_samples(name, change):
    scenario = Scenario(**{**BASE, **change, **({"topology": "full"} if change == {"nodes": 1} else {})})
    ran = course(scenario)
    derived = derive(scenario, name, ran)
    assert check(derived) == []
    assert Scenario.of(derived.resolved()) == derived
    assert derived.baselines == ()
    assert derived.name == f"clinics ({name})"
    assert trained(derived) == pytest.approx(ran.samples, rel=0.1)
    for kept in ("seed", "task", "network", "device"):
        assert getattr(derived, kept) == getattr(scenario, kept)
    assert derived.training.optimizer.params["learning_rate"] == scenario.training.optimizer.params["learning_rate"]


def test_central_training_is_on_the_very_samples_of_the_nodes():
    scenario = Scenario(**BASE)
    own, central = Setup(scenario).task, Setup(derive(scenario, "centralized", course(scenario))).task
    assert central.nodes == 1
    assert np.array_equal(np.sort(own.rows[own.train.indices]), np.sort(central.rows[central.train.indices]))
    assert np.array_equal(own.common_inputs, central.common_inputs)
    assert derive(scenario, "centralized", course(scenario)).training.epochs == 1


def test_where_a_few_take_part_central_training_is_shortened_by_steps():
    scenario = Scenario(**{**BASE, "participation": 0.25})
    ran = course(scenario, share=0.25)
    derived = derive(scenario, "centralized", ran)
    assert derived.training.epochs is None
    assert derived.training.steps * 16 * derived.until.rounds == pytest.approx(ran.samples, rel=0.05)


def test_distributed_training_is_one_step_a_round_of_plain_descent():
    scenario = Scenario(**BASE)
    derived = derive(scenario, "distributed", course(scenario))
    assert (derived.training.steps, derived.training.epochs) == (1, None)
    assert derived.training.optimizer.params["momentum"] == 0.0
    assert (derived.algorithm.name, derived.aggregation.name, derived.architecture) == ("fedavg", "mean", "centralized")
    looks = derived.until.rounds / derived.evaluation.every
    assert looks == pytest.approx(10 / 2, abs=1)
    shards = [np.sort(setup.task.rows[setup.task.train.indices]) for setup in (Setup(scenario), Setup(derived))]
    assert np.array_equal(*shards)


def test_alone_nobody_has_anybody_to_talk_to():
    setup = Setup(derive(Scenario(**BASE), "local", course(Scenario(**BASE))))
    assert setup.graph.edge_count == 0
    assert setup.planner.table(0).trainers.tolist() == list(range(6))
    assert [setup.planner.table(0).exchanges(node) for node in range(6)] == [()] * 6


def test_nodes_that_the_data_decide_stay_the_same():
    scenario = Scenario(task="digits", nodes=None, partition={"name": "explicit", "lists": [list(range(300)), list(range(300, 900))]})
    ran = course(scenario)
    for name in NAMES:
        task = Setup(derive(scenario, name, ran)).task
        assert len(task.train.indices) == ran.sizes.sum()
