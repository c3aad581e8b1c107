"""What is batched, how many at a time, and the reasons given where it is not."""

import dataclasses

import pytest

from coterie.algorithms.algorithm import Algorithm
from coterie.learning.batched.policy import Batching, choose
from learning.benches import bench, task

OWN = "learning.own_code:"
MLP = {"name": "mlp", "hidden": [64]}
SMALL = {"name": "cnn", "channels": [4, 8], "kernel": 3, "hidden": [16]}
LARGE = {"name": "cnn", "channels": [32, 64], "kernel": 3, "hidden": [128]}


def images(side=8, channels=1, nodes=6):
    return task(sizes=(12,) * nodes, tests=(0,) * nodes, features=(channels, side, side))


def test_a_chunk_is_no_larger_than_there_is_work_and_chunks_are_even():
    at = task(sizes=(60,) * 100, tests=(0,) * 100, features=(784,))
    wide = bench(at, model=MLP, batch_size=20, engine="fast")
    assert wide.batching.nodes == 25  # 45 would fit, but three chunks do not share evenly between two workers
    wide = bench(at, model=MLP, batch_size=20, engine="fast")
    wide.together = 10
    assert wide.batching.nodes == 5  # all would fit, but then a second worker would have nothing to do
    many = bench(task(sizes=(2,) * 64, tests=(0,) * 64), engine="fast")
    assert many.batching.nodes == 32
    assert bench(engine="fast").batching.nodes == 3
    small = bench(engine="fast")
    small.together = 2
    assert small.batching.nodes == 2
    assert bench(engine="fast", chunk=7).batching.nodes == 7


@pytest.mark.parametrize(
    ("model", "at", "how"),
    [
        ("logistic", None, "products"),
        (MLP, None, "products"),
        (SMALL, images(), "vmap"),
        (LARGE, images(32, 3), "one by one"),
        (f"{OWN}Convolved", images(), "vmap"),
        (f"{OWN}Attentive", None, "vmap"),
        (f"{OWN}Carrying", None, "vmap"),
        (f"{OWN}Tied", task(classes=6), "vmap"),
    ],
)
def test_what_is_batched(model, at, how):
    assert bench(at, model=model, engine="fast").batching.how == how
    assert bench(at, model=model, engine="exact").batching.how == "one by one"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model": f"{OWN}Dropped"}, "draws random numbers"),
        ({"model": f"{OWN}Normed"}, "its buffers (constant, seen, norm.running_mean, norm.running_var, norm.num_batches_tracked) change"),
        ({"model": f"{OWN}Centred"}, "other samples of its batch"),
        ({"model": f"{OWN}Branching"}, "torch.func cannot batch it (vmap"),
        ({"model": f"{OWN}Recurrent"}, "torch.func cannot batch it (Batching rule not implemented for aten::lstm"),
        ({"loss": f"{OWN}half_loss"}, "your loss gives one number for a batch"),
        ({"loss": f"{OWN}loss_of_ranks"}, "other samples of its batch"),
        ({"function": f"{OWN}training"}, "the local training is a function of your own"),
    ],
)
def test_what_is_not_batched_says_why(settings, reason):
    batching = bench(engine="fast", **settings).batching
    assert batching.how == "one by one"
    assert reason in batching.why
    assert reason in str(batching)


def test_lstms_are_known_not_to_be_batched():
    at = task(features=(5,), classes=9, vocabulary=9)
    assert bench(at, model={"name": "char-lstm", "hidden": 4}, engine="fast").batching.why == "torch.func has no rule for LSTMs"


def test_work_enough_for_a_core_is_left_alone_unless_one_says_otherwise():
    large = bench(images(32, 3), model=LARGE, engine="fast")
    assert "million operations" in large.batching.why
    assert bench(images(32, 3), model=LARGE, engine="fast", chunk=3).batching == Batching("vmap", 3, "executor.chunk says so")
    assert bench(model=MLP, engine="fast", chunk=1).batching.how == "one by one"
    device = dataclasses.replace(large.wanted, device="cuda")
    assert choose(device).how == "vmap"


def test_large_models_of_little_work_are_left_alone():
    at = bench(images(), model=f"{OWN}Heavy", engine="fast")
    assert "fit near the core" in at.batching.why


def test_what_was_settled_before_is_kept():
    at = bench(images(), model=SMALL, engine="fast")
    at.chosen = Batching("vmap", 2, "recorded")
    assert at.batching.nodes == at.batched.count == 2


class Aligned(Algorithm):
    """An algorithm whose term looks at the whole vector, and does not say that it works row by row."""

    def gradient(self, gradient, parameters, start, broadcast, client):
        return gradient / (1 + gradient.norm())


def test_an_algorithm_that_does_not_say_so_is_not_batched():
    at = bench(engine="fast", model=MLP)
    at.algorithm = Aligned()
    assert "elementwise" in at.batching.why
    assert at.batched is None
