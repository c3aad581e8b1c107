import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from coterie.learning.losses import CrossEntropy, Own, SquaredError
from coterie.learning.network import Network
from coterie.learning.replica import ModuleReplica, replica_of
from coterie.learning.stack import StackReplica

torch.set_num_threads(1)
OWN = "learning.own_code:"


def batch(features, outputs, count, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randn(count, *features, generator=draw), torch.randint(0, outputs, (count,), generator=draw)


def loaded(kind, network, seed=1):
    replica = kind(network, "cpu")
    replica.load(torch.from_numpy(network.initial(seed)))
    return replica


def same_gradients(network, inputs, targets, loss):
    ours, theirs = loaded(StackReplica, network), loaded(ModuleReplica, network)
    torch.testing.assert_close(ours.differentiate(inputs, targets, loss), theirs.differentiate(inputs, targets, loss))
    torch.testing.assert_close(ours.gradient, theirs.gradient)
    torch.testing.assert_close(ours.outputs(inputs), theirs.outputs(inputs))


@given(hidden=st.lists(st.integers(1, 9), max_size=3), features=st.integers(1, 7), outputs=st.integers(2, 5), count=st.integers(1, 9))
def test_dense_gradients_equal_automatic_ones(hidden, features, outputs, count):
    network = Network.of({"name": "mlp", "hidden": hidden}, (features,), outputs)
    same_gradients(network, *batch((features,), outputs, count), CrossEntropy())


@given(
    channels=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    kernel=st.sampled_from([1, 3, 5]),
    same=st.booleans(),
    shape=st.sampled_from([(14, 14), (1, 14, 15), (2, 15, 14), (3, 16, 16)]),
    count=st.integers(1, 4),
)
def test_convolution_gradients_equal_automatic_ones(channels, kernel, same, shape, count):
    choice = {"name": "cnn", "channels": channels, "kernel": kernel, "same_padding": same, "hidden": [6]}
    if not same and kernel == 5 and len(channels) == 2:
        choice["kernel"] = 3
    same_gradients(Network.of(choice, shape, 3), *batch(shape, 3, count), CrossEntropy())


def test_a_large_linear_layer_equals_the_automatic_one():
    network = Network.of({"name": "mlp", "hidden": [1100]}, (1000,), 3)
    same_gradients(network, *batch((1000,), 3, 4), CrossEntropy())


@pytest.mark.parametrize("loss", [SquaredError(), Own(lambda outputs, targets: (outputs.reshape(-1) - targets).abs().mean())])
def test_regression_gradients_equal_automatic_ones(loss):
    network = Network.of({"name": "mlp", "hidden": [4]}, (3,), 1)
    same_gradients(network, torch.randn(5, 3), torch.randn(5), loss)


def test_the_fedavg_cnn_equals_plain_torch():
    network = Network.of("cnn", (28, 28), 10)
    inputs, targets = batch((28, 28), 10, 3)
    ours, module = loaded(StackReplica, network), network.module(network.initial(1))
    loss = cross_entropy(module(inputs), targets)
    loss.backward()
    torch.testing.assert_close(ours.differentiate(inputs, targets, CrossEntropy()), loss.detach())
    theirs = torch.cat([parameter.grad.flatten() for parameter in module.parameters()])
    torch.testing.assert_close(ours.gradient, theirs)


def test_an_lstm_learns_through_a_module():
    network = Network.of({"name": "char-lstm", "hidden": 6}, (7,), 11, vocabulary=11)
    assert isinstance(replica_of(network, "cpu"), ModuleReplica)
    tokens, targets = torch.randint(0, 11, (4, 7)), torch.randint(0, 11, (4,))
    ours, module = loaded(ModuleReplica, network), network.module(network.initial(1))
    loss = cross_entropy(module(tokens), targets)
    loss.backward()
    torch.testing.assert_close(ours.differentiate(tokens, targets, CrossEntropy()), loss.detach())
    torch.testing.assert_close(ours.gradient, torch.cat([parameter.grad.flatten() for parameter in module.parameters()]))


def test_shared_weights_are_one_part_of_the_vector():
    network = Network.of(f"{OWN}Tied", (3,), 3)
    assert network.layout.size == 9
    ours, module = loaded(ModuleReplica, network), network.module(network.initial(1))
    inputs, targets = batch((3,), 3, 4)
    cross_entropy(module(inputs), targets).backward()
    ours.differentiate(inputs, targets, CrossEntropy())
    torch.testing.assert_close(ours.gradient, module.one.weight.grad.flatten())


def test_what_is_not_trained_comes_last_and_has_no_gradient():
    network = Network.of(f"{OWN}Normed", (4,), 3)
    names = [entry.name for entry in network.layout.entries if not entry.trainable]
    assert set(names) == {"frozen.weight", "frozen.bias", "norm.running_mean", "norm.running_var", "norm.num_batches_tracked", "seen"}
    assert [entry.trainable for entry in network.layout.entries] == [True] * 6 + [False] * 6
    assert "constant" not in [entry.name for entry in network.layout.entries]
    replica = loaded(ModuleReplica, network)
    assert len(replica.gradient) == len(replica.parameters) == network.layout.trainable < network.layout.size
    before = replica.vector.clone()
    replica.differentiate(*batch((4,), 3, 5), CrossEntropy())
    replica.settle()
    after = network.layout.views(replica.vector)
    assert after["norm.num_batches_tracked"] == 1
    assert after["seen"] == 5
    assert (after["norm.running_mean"] != network.layout.views(before)["norm.running_mean"]).all()
    assert (after["frozen.weight"] == network.layout.views(before)["frozen.weight"]).all()
    assert (replica.parameters == before[: len(replica.parameters)]).all()


def test_statistics_are_frozen_in_use_and_load_sets_all_anew():
    network = Network.of(f"{OWN}Normed", (4,), 3)
    replica, initial = loaded(ModuleReplica, network), torch.from_numpy(network.initial(1))
    inputs, targets = batch((4,), 3, 5)
    fresh = replica.outputs(inputs)
    replica.settle()
    assert (replica.vector == initial).all()
    replica.differentiate(inputs, targets, CrossEntropy())
    replica.settle()
    assert (replica.outputs(inputs) != fresh).any()
    replica.load(initial)
    assert (replica.outputs(inputs) == fresh).all()


def test_counters_are_rounded_into_the_module():
    network = Network.of(f"{OWN}Normed", (4,), 3)
    vector = torch.from_numpy(network.initial(1))
    network.layout.views(vector)["norm.num_batches_tracked"].fill_(6.6)
    assert network.module(vector).norm.num_batches_tracked == 7


def test_a_module_exported_from_a_vector_gives_what_the_replica_gives():
    network = Network.of({"name": "mlp", "hidden": [5]}, (4,), 3)
    vector = network.initial(2)
    inputs, _ = batch((4,), 3, 6)
    replica = replica_of(network, "cpu")
    replica.load(torch.from_numpy(vector))
    torch.testing.assert_close(network.module(vector)(inputs), replica.outputs(inputs), rtol=0, atol=0)
    assert np.array_equal(vector, network.initial(2))
