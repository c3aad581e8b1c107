"""The tree: defaults, short forms, what is refused and how it is said, and the way to plain data and back."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import coterie
from coterie.core.errors import ScenarioError
from coterie.scenario import Scenario, yaml
from coterie.scenario.setup import Setup


def faults(**settings):
    """Place → (problem, fix) of every fault."""
    with pytest.raises(ScenarioError) as caught:
        Scenario(**settings)
    return {fault.place: (fault.problem, fault.fix) for fault in caught.value.faults}


def test_the_smallest_program():
    scenario = coterie.Scenario(task="digits", nodes=16, architecture="decentralized", until=30)
    assert scenario.task.dataset.name == "digits"
    assert (scenario.task.model.name, scenario.task.model.params) == ("mlp", {"hidden": (64,)})
    assert scenario.until.rounds == 30
    assert scenario.topology.name == "full"


def test_short_forms_stand_for_the_long_ones():
    short = Scenario(
        task="digits",
        nodes=8,
        until=5,
        participation=0.5,
        partition="iid",
        topology="star",
        training={"optimizer": "adam", "batch_size": "all"},
        executor="inline",
        device=1e9,
        evaluation=2,
        schedule="synchronous",
        roles={"aggregator": [2], "idle": 0.25},
    )
    long = Scenario(
        task={"dataset": {"name": "digits"}, "model": {"name": "mlp", "hidden": [64]}},
        nodes=8,
        until={"rounds": 5},
        participation={"name": "fraction", "share": 0.5},
        partition={"name": "iid", "minimum": 2},
        topology={"name": "star", "center": 0},
        training={"optimizer": {"name": "adam"}, "batch_size": "all", "epochs": 1},
        executor={"name": "inline"},
        device={"flops_per_second": 1e9},
        evaluation={"every": 2},
        schedule={"name": "synchronous"},
        roles={"trainer": "all", "aggregator": {"nodes": [2]}, "idle": {"share": 0.25}},
    )
    assert short == long
    assert short.digest == long.digest
    assert short.training.batch_size is None
    assert Scenario(task="digits", nodes=8, participation=3).participation.params == {"count": 3}
    assert Scenario(task="my_data:load").task.dataset.params["source"] == "my_data:load"


def test_a_choice_without_a_name_is_the_usual_one_with_other_parameters():
    scenario = Scenario(
        task={"dataset": "digits", "model": {"hidden": [8, 8]}},
        training={"optimizer": {"learning_rate": 0.5}},
        aggregation={"mixing": "uniform"},
        partition={"minimum": 7},
    )
    assert scenario.task.model.params == {"hidden": (8, 8)}
    assert (scenario.training.optimizer.name, scenario.training.optimizer.params["learning_rate"]) == ("sgd", 0.5)
    assert (scenario.aggregation.name, scenario.aggregation.mixing.name) == ("mean", "uniform")
    assert (scenario.partition.chosen, scenario.partition.minimum) == (None, 7)


@pytest.mark.parametrize(
    ("architecture", "topology", "trainers", "aggregators"),
    [
        ("centralized", "star", [0, 1, 2, 3], [[0], [0], [0]]),
        ("semi-decentralized", "full", [0, 1, 2, 3], [[0], [1], [2]]),
        ("decentralized", "full", [0, 1, 2, 3], [[0, 1, 2, 3]] * 3),
    ],
)
def test_an_architecture_is_short_for_a_topology_and_roles(architecture, topology, trainers, aggregators):
    setup = Setup(Scenario(task="digits", nodes=4, architecture=architecture))
    assert setup.scenario.topology.name == topology
    assert [setup.planner.table(number).trainers.tolist() for number in range(3)] == [trainers] * 3
    assert [setup.planner.table(number).aggregators.tolist() for number in range(3)] == aggregators


def test_the_aggregator_of_a_star_sits_in_its_middle():
    scenario = Scenario(task="digits", nodes=4, topology={"name": "star", "center": 3})
    assert scenario.roles.aggregator.nodes == (3,)
    assert not Setup(scenario).faults()


def test_own_settings_come_before_those_of_a_preset():
    weak = Scenario(task="digits", nodes=100, preset="cross-device")
    assert weak.participation.params == {"share": 0.1}
    assert (weak.training.batch_size, weak.everyone) == (10, False)
    own = Scenario(
        task="digits", nodes=100, preset="cross-device", participation=7, training={"epochs": 3}, network={"latency_seconds": 1.0}
    )
    assert own.participation.params == {"count": 7}
    assert (own.training.batch_size, own.training.epochs) == (10, 3)
    assert own.network.params["latency_seconds"] == 1.0
    assert own.network.params["bandwidth_bytes_per_second"] == weak.network.params["bandwidth_bytes_per_second"]


def test_rounds_are_always_bounded():
    assert Scenario(task="digits").until.rounds == 20
    assert Scenario(task="digits", until={"target": 0.9}).until.rounds == 1000
    assert Scenario(task="digits", until={"target": 0.9, "rounds": 50}).until.rounds == 50
    assert Scenario(task="digits", until={"converged": {}}).until.converged.metric == "loss"


def test_all_faults_are_told_at_once_each_with_its_place():
    found = faults(
        task={"dataset": "digts", "modle": "mlp"},
        nodes=True,
        partition={"name": "dirichlet", "alfa": 3, "minimum": 0},
        training={"optimizer": {"name": "sgd", "learning_rate": "x"}, "batch_size": 0},
        aggregation={"mixing": "unifrm"},
        baselines=["lokal", "local"],
        engine="warp",
        trainig=1,
    )
    assert set(found) == {
        "task.dataset", "task.modle", "nodes", "partition.alfa", "partition.minimum", "training.optimizer.learning_rate",
        "training.batch_size", "aggregation.mixing", "baselines.0", "engine", "trainig",
    }  # fmt: skip
    assert found["task.dataset"] == ("there is no data set called 'digts'", "did you mean 'digits'?")
    assert found["partition.alfa"] == ("there is no such setting of dirichlet", "did you mean 'alpha'?")
    assert found["trainig"][1] == "did you mean 'training'?"
    assert found["nodes"][0] == "must be a whole number (got true)"
    assert found["baselines.0"][1] == "did you mean 'local'?"


@pytest.mark.parametrize(
    ("settings", "place", "problem"),
    [
        ({}, "task", "is missing"),
        ({"task": {}}, "task.dataset", "is missing"),
        ({"task": 3}, "task", "must be a mapping (got 3)"),
        ({"task": "digits", "nodes": 0}, "nodes", "must be at least 1"),
        ({"task": "digits", "nodes": 10**12}, "nodes", "must be at most"),
        ({"task": "digits", "nodes": "4"}, "nodes", "must be a whole number (got '4')"),
        ({"task": "digits", "seed": -1}, "seed", "must be at least 0"),
        ({"task": "digits", "until": 0}, "until.rounds", "must be at least 1"),
        ({"task": "digits", "until": True}, "until", "must be a number or a mapping (got true)"),
        ({"task": "digits", "until": "10 rounds"}, "until", "must be a number or a mapping (got '10 rounds')"),
        ({"task": "digits", "until": {"target": "0.9 accuracy"}}, "until.target", "must be a number or a mapping"),
        ({"task": "digits", "participation": 1}, "participation", "1 may mean one node or all of them"),
        ({"task": "digits", "participation": 1.0}, "participation", "1.0 may mean one node or all of them"),
        ({"task": "digits", "participation": -0.1}, "participation.share", "must be above 0"),
        ({"task": "digits", "participation": True}, "participation", "must be the name of a selection, or a mapping with it (got true)"),
        ({"task": "digits", "partition": {"name": "dirichlet", "alpha": True}}, "partition.alpha", "must be a number (got true)"),
        ({"task": "digits", "partition": {"name": "dirichlet", "alpha": float("nan")}}, "partition.alpha", ""),
        ({"task": "digits", "partition": {"name": 3}}, "partition.name", "must be the name of a partition (got 3)"),
        ({"task": "digits", "partition": ["iid"]}, "partition", "must be the name of a partition"),
        ({"task": "digits", "partition": {"name": "rotation", "of": "iidd"}}, "partition.of", "there is no partition called 'iidd'"),
        ({"task": "digits", "topology": {"p": 0.3}}, "topology.name", "is missing"),
        ({"task": "digits", "topology": {"name": "edges", "pairs": [[0, 1], [2]]}}, "topology.pairs.1.1", "is missing"),
        ({"task": "digits", "topology": {"name": "edges", "pairs": [[0, 1], [2, "x"]]}}, "topology.pairs.1.1", "must be a whole number"),
        ({"task": "digits", "training": {"epochs": 1, "steps": 1}}, "training.steps", "there are epochs too"),
        ({"task": "digits", "training": {"batch_size": None}}, "training.batch_size", "must be a whole number, or all"),
        ({"task": "digits", "training": {"clip_norm": float("inf")}}, "training.clip_norm", ""),
        ({"task": "digits", "training": {"function": "train"}}, "training.function", "does not name code"),
        ({"task": "digits", "roles": {"proxy": 3}}, "roles.proxy", "3 may be a node or a count"),
        ({"task": "digits", "roles": {"proxy": ["x"]}}, "roles.proxy.nodes", "'x' is neither an id nor a range"),
        ({"task": "digits", "roles": {"proxy": ["9-3"]}}, "roles.proxy.nodes", "neither an id nor a range"),
        ({"task": "digits", "roles": {"proxy": ["all", 3]}}, "roles.proxy.nodes", "must be a list of ids, all, or rest"),
        ({"task": "digits", "roles": {"trainer": "rest", "proxy": "rest"}}, "roles.proxy", "trainer is the rest already"),
        ({"task": "digits", "roles": {"trainer": []}}, "roles.trainer", "nobody trains"),
        ({"task": "digits", "roles": {"trainer": {"count": 2, "share": 0.1}}}, "roles.trainer.share", "there is a count too"),
        ({"task": "digits", "roles": {"aggregator": {"rotate": "random"}}}, "roles.aggregator.rotate", "does not say how many"),
        ({"task": "digits", "until": {"rounds": 5, "converged": {}}}, "until.converged.patience", "cannot be seen in 5 rounds"),
        ({"task": "digits", "name": "a\nb"}, "name", "holds characters"),
        ({"task": "digits", "preset": "cross-sillo"}, "preset", "must be 'cross-silo' or 'cross-device'"),
        ({"task": {"dataset": "digits", "model": "my_model.py"}}, "task.model", "there is no model called"),
        ({"task": {"dataset": "digits", "test_fraction": 1.0}}, "task.test_fraction", "must be below 1"),
        ({"task": {"dataset": "digits", "preprocess": ["standardise"]}}, "task.preprocess.0", "there is no preprocessing stage"),
        ({"task": "digits", "plugins": "rules.py"}, "plugins", "must be a list"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(settings, place, problem):
    found = faults(**settings)
    assert list(found) == [place]
    assert problem in found[place][0]


def test_a_number_with_words_behind_it_is_told_to_be_the_number():
    assert faults(task="digits", until="10 rounds")["until"][1] == "write 10"
    assert faults(task="digits", until={"target": "0.9 accuracy"})["until.target"][1] == "write 0.9"
    assert (
        faults(task="digits", until="ten rounds")["until"][1]
        == "its settings are rounds, virtual_seconds, updates, bytes, target, converged"
    )


def test_numbers_of_numpy_are_numbers():
    scenario = Scenario(
        task="digits",
        nodes=np.int64(4),
        partition={"name": "dirichlet", "alpha": np.float32(0.5)},
        topology={"name": "star", "center": np.int64(0)},
    )
    assert scenario.partition.params["alpha"] == 0.5
    assert "object" in faults(task="digits", partition={"name": "dirichlet", "alpha": object()})["partition"][0]


def test_it_cannot_be_changed():
    scenario = Scenario(task="digits")
    with pytest.raises(Exception, match="frozen"):
        scenario.nodes = 3
    other = scenario.changed(nodes=3, until=4)
    assert (scenario.nodes, other.nodes, other.until.rounds) == (None, 3, 4)


some = st.fixed_dictionaries(
    {
        "task": st.sampled_from(["digits", {"dataset": {"name": "mnist", "limit": 50}, "model": "cnn", "preprocess": ["flatten"]}]),
        "name": st.sampled_from(["a", "1e3", "yes", "0o17", "null", "12", "2024-01-01", "ß: #", "1_0", " x ", "- a"]),
    },
    optional={
        "nodes": st.integers(1, 50),
        "seed": st.integers(0, 2**63 - 1),
        "preset": st.sampled_from([None, "cross-silo", "cross-device"]),
        "until": st.sampled_from([3, {"target": 0.5}, {"rounds": 9, "converged": {"patience": 2, "tolerance": 1e-5}}]),
        "partition": st.sampled_from(
            ["auto", "iid", {"name": "dirichlet", "alpha": 1e-3}, {"name": "rotation", "of": {"name": "shards"}, "angles": [1, 2.5]}]
        ),
        "architecture": st.sampled_from(["centralized", "semi-decentralized", "decentralized"]),
        "topology": st.sampled_from(["ring", {"name": "small-world"}, {"name": "edges", "pairs": [[0, 1]]}]),
        "roles": st.sampled_from([{}, {"proxy": [1, "3-5"], "trainer": "rest"}, {"idle": {"share": 0.1, "rotate": "random"}}]),
        "participation": st.sampled_from(["all", 0.3, 2]),
        "training": st.sampled_from([{}, {"batch_size": "all", "steps": 4}, {"optimizer": "adam", "learning_rate_schedule": "constant"}]),
        "algorithm": st.sampled_from(["fedavg", {"name": "fedprox"}, "fedadam"]),
        "aggregation": st.sampled_from(["mean", {"mixing": "uniform"}, {"name": "trimmed_mean", "byzantine": 1}]),
        "baselines": st.sampled_from([(), ["local", "centralized"]]),
    },
)


@given(some)
def test_resolved_settings_and_their_text_give_an_equal_scenario(settings):
    scenario = Scenario(**settings)
    resolved = scenario.resolved()
    for again in (Scenario.of(resolved), Scenario.of(yaml.read(scenario.yaml()).value), pickle.loads(pickle.dumps(scenario))):
        assert again == scenario
        assert again.resolved() == resolved
        assert again.digest == scenario.digest == Scenario(**settings).digest


def test_the_digest_is_of_what_is_computed():
    base = {"task": "digits", "nodes": 4}
    digest = Scenario(**base).digest
    assert len(digest) == 64
    for beside in ({"name": "x"}, {"executor": "inline"}, {"events": "messages"}, {"baselines": ["local"]}, {"folder": "/else/where"}):
        assert Scenario(**base, **beside).digest == digest
    for change in ({"seed": 1}, {"until": 3}, {"partition": {"minimum": 3}}, {"training": {"batch_size": 8}}):
        assert Scenario(**base, **change).digest != digest


FOREIGN = {
    "plugins": {"plugins": ["rules.py"]},
    "folder": {"folder": "/etc"},
    "task.model": {"task": {"dataset": "digits", "model": "os:system"}},
    "training.function": {"training": {"function": "os:system"}},
    "training.loss": {"training": {"loss": "os:system"}},
    "training.metrics": {"training": {"metrics": ["os:system"]}},
    "task.dataset.source": {"task": "os:listdir"},
    "task.dataset.path": {"task": {"dataset": {"name": "npz", "path": "/etc/passwd"}}},
    "task.dataset.mirror": {"task": {"dataset": {"name": "mnist", "mirror": "http://169.254.169.254/"}}},
    "partition.path": {"partition": {"name": "explicit", "path": "/etc/passwd"}},
    "topology.path": {"topology": {"name": "file", "path": "/etc/passwd"}},
}


@pytest.mark.parametrize("place", FOREIGN)
def test_a_scenario_from_elsewhere_names_only_registered_things(place):
    settings = {"task": "digits", "nodes": 4, **FOREIGN[place]}
    with pytest.raises(ScenarioError, match="elsewhere") as caught:
        Scenario.of(settings, trusted=False)
    assert [fault.place for fault in caught.value.faults] == [place]


def test_a_scenario_from_elsewhere_may_set_everything_else():
    settings = {"task": {"dataset": {"name": "mnist", "limit": 9}}, "nodes": 4, "topology": "ring", "partition": {"name": "dirichlet"}}
    assert Scenario.of(settings, trusted=False) == Scenario(**settings)


def test_another_architecture_brings_its_own_topology_and_roles_unless_they_were_chosen():
    star = coterie.Scenario(task="digits", nodes=4)
    other = star.changed(architecture="decentralized")
    assert (other.topology.name, other.roles.aggregator.nodes) == ("full", ("all",))
    ring = star.changed(topology="ring").changed(architecture="decentralized")
    assert (ring.topology.name, ring.roles.aggregator.nodes) == ("ring", ("all",))
    assert star.changed(seed=4).topology.name == "star"
