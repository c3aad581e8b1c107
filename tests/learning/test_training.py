from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from coterie.core import draws
from coterie.core.errors import ScenarioError
from coterie.core.jobs import JobFailed
from coterie.learning.executors.inline import Inline
from coterie.learning.jobs import train
from coterie.learning.shards import Passes, batches
from coterie.tasks.ragged import Ragged
from learning.benches import bench, task

OWN = "learning.own_code:"


def trained(at, node=0, round=0, model=None, client=None, **options):
    """(update, client state, facts) of one training job."""
    executor = Inline(at)
    start = executor.put(at.network.initial(0) if model is None else model)
    job = train(start, None if client is None else executor.put(client), node=node, round=round, **options)
    executor.run([job])
    return tuple(handle.value for handle in job.outputs)


def by_plain_torch(at, node, round, make_optimizer, loss, clip=None):
    """The same training as one would write it, on the same batches."""
    module = at.network.module(at.network.initial(0))
    optimizer, settings, shard = make_optimizer(module.parameters()), at.training, at.train_shards[node]
    module.train()
    for inputs, targets in batches(shard, Passes.of(len(shard[1]), settings), lambda: at.orders(node, round)):
        optimizer.zero_grad()
        loss(module(inputs), targets).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(module.parameters(), clip)
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


@pytest.mark.parametrize("model", ["logistic", {"name": "mlp", "hidden": [5]}, f"{OWN}Plain"])
@pytest.mark.parametrize(
    ("optimizer", "make"),
    [
        ({"name": "sgd", "learning_rate": 0.1}, lambda p: torch.optim.SGD(p, 0.1)),
        (
            {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.01),
        ),
        ({"name": "adam", "learning_rate": 0.01}, lambda p: torch.optim.Adam(p, 0.01)),
    ],
)
def test_training_equals_a_plain_loop(model, optimizer, make):
    at = bench(model=model, optimizer=optimizer, epochs=3, clip_norm=0.5)
    for node, round in ((0, 0), (2, 4)):
        update, client, facts = trained(at, node, round)
        end = torch.from_numpy(at.network.initial(0)) + update
        torch.testing.assert_close(end, by_plain_torch(at, node, round, make, cross_entropy, clip=0.5), rtol=1e-5, atol=1e-6)
        assert len(client) == 0
        size = int(at.task.train.sizes[node])
        assert facts["samples"] == 3 * size
        assert facts["steps"] == 3 * -(-size // 4)


def test_images_and_numbers_train_too():
    at = bench(task(features=(8, 8)), model={"name": "cnn", "channels": [2], "hidden": [4]}, epochs=2)
    update, _, _ = trained(at)
    expected = by_plain_torch(at, 0, 0, lambda p: torch.optim.SGD(p, 0.1), cross_entropy)
    torch.testing.assert_close(torch.from_numpy(at.network.initial(0)) + update, expected, rtol=1e-4, atol=1e-6)
    at = bench(task(classes=0), model={"name": "mlp", "hidden": [4]}, epochs=2)
    update, _, _ = trained(at)
    expected = by_plain_torch(at, 0, 0, lambda p: torch.optim.SGD(p, 0.1), lambda out, y: mse_loss(out[:, 0], y))
    torch.testing.assert_close(torch.from_numpy(at.network.initial(0)) + update, expected, rtol=1e-4, atol=1e-6)


def test_tokens_train():
    at = bench(task(features=(5,), classes=9, vocabulary=9), model={"name": "char-lstm", "hidden": 4}, steps=2)
    update, _, facts = trained(at)
    assert (update != 0).any()
    assert facts["train_loss"] == pytest.approx(np.log(9), rel=0.2)


def test_training_loss_is_the_mean_over_samples_as_they_were_seen():
    at = bench(batch_size=None, epochs=1)
    _, _, facts = trained(at)
    inputs, targets = at.train_shards[0]
    module = at.network.module(at.network.initial(0))
    assert facts["train_loss"] == pytest.approx(cross_entropy(module(inputs), targets).item(), rel=1e-6)
    at = bench(optimizer={"name": "sgd", "learning_rate": 1e-12}, batch_size=3)
    assert trained(at)[2]["train_loss"] == pytest.approx(facts["train_loss"], rel=1e-5)


def test_whole_gives_the_trained_model():
    at = bench()
    update, _, _ = trained(at)
    whole, _, _ = trained(at, whole=True)
    torch.testing.assert_close(whole, torch.from_numpy(at.network.initial(0)) + update)


def test_steps_of_a_job_come_before_those_of_the_settings():
    at = bench(epochs=5)
    assert trained(at, steps=2)[2]["steps"] == 2
    assert trained(bench(steps=3))[2]["steps"] == 3


@pytest.mark.parametrize(("by", "rates"), [("round", [0.1 * 0.5] * 3), ("step", [0.1, 0.05, 0.025])])
def test_schedules_by_round_and_by_step(by, rates):
    at = bench(learning_rate_schedule={"name": "exponential", "factor": 0.5}, schedule_by=by, steps=3)
    assert [at.rate(1, step) for step in range(3)] == pytest.approx(rates)
    constant = bench(optimizer={"name": "sgd", "learning_rate": 0.05}, steps=3)
    same = np.allclose(trained(at, round=1)[0], trained(constant, round=1)[0], rtol=1e-5)
    assert same == (by == "round")


def test_the_order_of_batches_is_private():
    at, other = bench(), bench()
    other.secret = lambda node: draws.derived_secret(1, node)
    assert (trained(at)[0] != trained(other)[0]).any()


def test_inputs_are_never_changed():
    at = bench(algorithm="scaffold", optimizer={"name": "sgd", "momentum": 0.9, "weight_decay": 0.1})
    executor, size = Inline(at), at.network.layout.size
    model, client = executor.put(np.ones(2 * size)), executor.put(np.ones(size))
    executor.run([train(model, client, node=0, round=0)])
    assert (model.value == 1).all()
    assert (client.value == 1).all()


@pytest.mark.parametrize("model", [{"name": "mlp", "hidden": [5]}, f"{OWN}Normed", f"{OWN}Dropped"])
@pytest.mark.parametrize("optimizer", [{"name": "sgd", "momentum": 0.9}, "adam"])
def test_bits_do_not_depend_on_what_ran_before(model, optimizer):
    def all_of(order, at):
        found = {node: trained(at, node, round=3, model=start[node])[0].numpy().copy() for node in order}
        return [found[node].tobytes() for node in range(3)]

    first = bench(model=model, optimizer=optimizer, epochs=2)
    start = [first.network.initial(seed) for seed in range(3)]
    alone = [trained(bench(model=model, optimizer=optimizer, epochs=2), node, 3, start[node])[0].numpy().tobytes() for node in range(3)]
    assert all_of([0, 1, 2], first) == alone
    assert all_of([2, 0, 1], first) == alone


@pytest.mark.parametrize("features", [(6,), (13,), (9, 9)])
@pytest.mark.parametrize("batch_size", [4, None])
def test_bits_do_not_depend_on_where_a_nodes_samples_lie(features, batch_size):
    """A real node holds its own samples alone; the simulator holds them among everybody's."""
    model = {"name": "cnn", "channels": [3], "hidden": [4]} if len(features) == 2 else {"name": "mlp", "hidden": [5]}
    whole, found = task(features=features), []
    for before in (0, 1, 2, 5):
        rows = np.concatenate([np.arange(before), whole.train[2]])
        parts = Ragged(np.arange(len(rows)), np.array([0, before, before, len(rows)]))
        alone = replace(
            whole, inputs=whole.inputs[rows], targets=whole.targets[rows], train=parts, test=Ragged.contiguous(np.zeros(3, int))
        )
        found.append(trained(bench(alone, model=model, batch_size=batch_size, epochs=2), node=2)[0].numpy().tobytes())
    assert set(found) == {trained(bench(whole, model=model, batch_size=batch_size, epochs=2), node=2)[0].numpy().tobytes()}


def test_dropout_is_a_private_draw_and_leaves_torchs_random_state_alone():
    at = bench(model=f"{OWN}Dropped")
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = trained(at, round=0)[0]
    torch.manual_seed(2)
    assert (trained(at, round=0)[0] == one).all()
    assert (trained(at, round=1)[0] != one).any()
    torch.manual_seed(1)
    trained(at)
    assert (torch.get_rng_state() == before).all()


def test_running_statistics_travel_in_the_update_without_decay():
    at = bench(model=f"{OWN}Normed", optimizer={"name": "sgd", "weight_decay": 0.5}, batch_size=None, epochs=2)
    update, _, _ = trained(at)
    parts = at.network.layout.views(update)
    assert parts["norm.num_batches_tracked"] == 2
    assert parts["seen"] == 14
    assert (parts["norm.running_mean"] != 0).all()
    assert (parts["frozen.weight"] == 0).all()
    assert (parts["first.weight"] != 0).all()


def test_batch_normalisation_never_meets_a_lone_sample():
    _, _, facts = trained(bench(model=f"{OWN}Normed", epochs=3), node=1)
    assert (facts["samples"], facts["steps"]) == (12, 3)


def test_a_loss_of_ones_own_trains():
    half, full = trained(bench(loss=f"{OWN}half_loss", steps=1))[0], trained(bench(steps=1))[0]
    torch.testing.assert_close(half, full / 2)


def test_own_training_sees_the_settings_and_equals_the_built_in():
    at, own = bench(epochs=2), bench(epochs=2, function=f"{OWN}training")
    update, client, facts = trained(own, node=2, round=5)
    torch.testing.assert_close(update, trained(at, node=2, round=5)[0], rtol=1e-4, atol=1e-6)
    assert len(client) == 0
    assert facts["samples"] == 12
    assert facts["round_seen"] == 5
    again, _, _ = trained(own, node=2, round=5)
    assert again.numpy().tobytes() == update.numpy().tobytes()


def test_own_training_may_put_other_tensors_into_the_model():
    at = bench(function=f"{OWN}rebinds")
    for seed in range(3):
        start = at.network.initial(seed)
        torch.testing.assert_close(trained(at, model=start, whole=True)[0], torch.from_numpy(start + 1))


def test_own_training_may_return_another_model():
    at = bench(function=f"{OWN}another_model")
    end, _, facts = trained(at, node=2, whole=True)
    assert at.network.layout.views(end)["linear1.weight"].unique().tolist() == [2.0]
    assert facts == {"samples": 1}
    assert trained(at, node=1, whole=True)[0].max() == 1


@pytest.mark.parametrize(
    ("function", "words"),
    [("forgets_the_rest", r"return \(model"), ("wrong_model", "without the same linear1.weight"), ("raises", "on purpose at node 1")],
)
def test_own_training_that_fails_names_node_and_round(function, words):
    with pytest.raises(JobFailed, match=f"train of node 1 in round 4 failed.*{words}") as found:
        trained(bench(function=OWN + function), node=1, round=4)
    assert isinstance(found.value.__cause__, ZeroDivisionError if function == "raises" else ScenarioError)


def test_a_node_without_samples_says_so():
    with pytest.raises(JobFailed, match="train of node 1 in round 0 failed: ValueError: it has no training samples"):
        trained(bench(task(sizes=(4, 0, 4))), node=1)


def test_a_device_that_is_not_there():
    with pytest.raises(ScenarioError, match="there is no device 'cuda'"):
        bench(device="cuda")
    with pytest.raises(ScenarioError, match="there is no device 'cup'"):
        bench(device="cup")
