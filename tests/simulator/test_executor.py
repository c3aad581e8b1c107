"""What `executor: auto` takes: a pool of processes where a node's round is work enough to be handed over."""

import pytest

from coterie.scenario.scenario import Scenario
from coterie.scenario.setup import Setup
from coterie.simulator import executor
from coterie.simulator.executor import choice, work_seconds

MLP = {"name": "mlp", "hidden": [64]}
CNN = {"name": "cnn", "channels": [32, 64], "kernel": 3, "hidden": [128]}


def setup(model="logistic", features=(784,), samples=60, engine="fast", **settings):
    data = {"name": "synthetic", "samples": samples, "features": list(features)}
    task = {"dataset": data, "model": model, "test_fraction": 0.1, "common_test_fraction": 0.1}
    training = {"batch_size": 20, "epochs": 1}
    return Setup(Scenario(**{"nodes": 40, "task": task, "partition": "natural", "training": training, "engine": engine} | settings))


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    monkeypatch.setattr(executor, "cores", lambda: 2)


@pytest.mark.parametrize(
    ("settings", "name", "why"),
    [
        ({"features": (60,), "samples": 10}, "inline", "all nodes of a round train at once"),
        ({"nodes": 100, "features": (60,), "samples": 10}, "inline", "done sooner than handed to another process"),
        ({"model": MLP}, "processes", "enough for several processes"),
        ({"model": MLP, "participation": 0.02}, "inline", "one node trains at a time"),
        ({"model": MLP, "architecture": "decentralized", "topology": "ring"}, "inline", "done sooner"),
        ({"model": CNN, "features": (1, 28, 28), "architecture": "decentralized", "topology": "ring"}, "processes", "enough"),
        ({"features": (60,), "engine": "exact"}, "processes", "enough"),
        ({"executor": "inline", "model": MLP}, "inline", "the scenario says so"),
    ],
)
def test_auto_hands_over_what_is_worth_it(settings, name, why):
    found = choice(setup(**settings))
    assert found.name == name
    assert why in found.why


def test_one_core_needs_no_processes(monkeypatch):
    monkeypatch.setattr(executor, "cores", lambda: 1)
    assert choice(setup(model=MLP)) == ("inline", "there is one core")


def test_work_grows_with_samples_epochs_and_the_model_and_shrinks_with_batches_of_nodes():
    usual = work_seconds(setup(model=MLP))
    assert work_seconds(setup(model=MLP, samples=600)) > 5 * usual
    assert work_seconds(setup(model=MLP, training={"batch_size": 20, "epochs": 3})) == pytest.approx(3 * usual)
    assert work_seconds(setup()) < usual < work_seconds(setup(model=MLP, engine="exact"))
