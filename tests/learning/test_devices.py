"""Training on another device than the CPU, as far as that can be known without one: torch's device `meta` computes shapes alone.

An operation between it and the CPU is an error, and so is looking at a value: what passes mixes no devices, and waits for none within
a chunk of steps.
"""

import pytest
import torch

from coterie.core.jobs import Call
from coterie.learning.batched import training
from coterie.learning.batched.policy import Batching
from coterie.learning.bench import Bench
from learning.benches import bench, task

OWN = "learning.own_code:"
MLP = {"name": "mlp", "hidden": [5]}
CNN = {"name": "cnn", "channels": [3], "kernel": 3, "hidden": [4]}
ADAM = {"name": "adam", "learning_rate": 0.01}


def trained(monkeypatch, settings, sizes=(7, 5, 12, 1, 3)):
    """The shapes of updates and client states that training on `meta` gives."""
    monkeypatch.setattr(training, "_facts", lambda course, losses, at: [{"looked": losses.device.type}] * len(course.steps))
    shape = {str(CNN): (8, 8), f"{OWN}Convolved": (2, 6, 6)}.get(str(settings["model"]), (6,))
    at = bench(task(sizes=sizes, tests=(0,) * len(sizes), features=shape), engine="fast", device="meta", **settings)
    at.chosen = Batching("products" if settings["model"] in ("logistic", MLP) else "vmap", 2, "it is told")
    start = torch.zeros(at.size * (1 + len(at.algorithm.broadcast)), device="meta")
    from coterie.learning.training import train

    return at, train(at, [Call((start, None), (None, False), node, 0) for node in range(len(sizes))])


@pytest.mark.parametrize("settings", [{}, {"clip_norm": 1.0, "optimizer": ADAM}])
@pytest.mark.parametrize("algorithm", ["fedavg", "fedprox", "scaffold"])
@pytest.mark.parametrize("model", ["logistic", MLP, CNN, *(f"{OWN}{name}" for name in ("Convolved", "Carrying", "Attentive"))])
def test_nothing_leaves_the_device_before_a_chunk_is_done(monkeypatch, model, algorithm, settings):
    at, results = trained(monkeypatch, {"model": model, "algorithm": algorithm, **settings})
    for update, client, facts in results:
        assert update.device.type == "meta"
        assert update.shape == (at.size * len(at.algorithm.update),)
        assert client.shape == (at.size * len(at.algorithm.client_state),)
        assert facts == {"looked": "meta"}


def test_the_check_sees_a_value_that_is_looked_at(monkeypatch):
    before = Bench.optimizer.func

    class Looking:
        def __init__(self, inner):
            self.inner, self.slots, self.learning_rate = inner, inner.slots, inner.learning_rate

        def step_rows(self, parameters, gradient, state, rate, count):
            if gradient.sum() > 0:
                self.inner.step_rows(parameters, gradient, state, rate, count)

    optimizer = property(lambda self: Looking(before(self)))
    monkeypatch.setattr(Bench, "optimizer", optimizer)
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        trained(monkeypatch, {"model": MLP, "clip_norm": 1.0})
