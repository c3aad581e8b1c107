"""Federated learning where it must equal something simpler."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from coterie.algorithms.algorithm import first_model
from coterie.algorithms.jobs import aggregate, mix
from coterie.learning.executors import to_numpy
from coterie.learning.executors.inline import Inline
from coterie.learning.jobs import train
from learning.benches import bench, task

ROUNDS = 5


def federated(at, rounds=ROUNDS):
    """The model after some rounds in which every node takes part, weighed by samples."""
    executor, sizes = Inline(at), at.task.train.sizes
    nodes = len(sizes)
    model, server, clients = executor.put(first_model(at.network.initial(0), at.algorithm)), None, [None] * nodes
    for round in range(rounds):
        jobs = [train(model, clients[node], node=node, round=round) for node in range(nodes)]
        executor.run(jobs)
        clients, updates = [job.outputs.client for job in jobs], tuple(job.outputs.update for job in jobs)
        options = {"weights": tuple(sizes.astype(float).tolist()), "origins": tuple(range(nodes)), "fraction": 1.0}
        step = aggregate(model, server, None, updates, **options, node=0, round=round)
        executor.run([step])
        model, server = step.outputs.model, step.outputs.server
    return to_numpy(model)[: at.size].copy()


def central(at, steps, rate=0.1):
    """Gradient descent on all training samples at once, in double precision."""
    module = at.network.module(at.network.initial(0)).double()
    inputs, targets = torch.from_numpy(at.task.inputs).double(), torch.from_numpy(at.task.targets)
    rows = torch.from_numpy(at.task.train.indices)
    optimizer = torch.optim.SGD(module.parameters(), rate)
    for _ in range(steps):
        optimizer.zero_grad()
        cross_entropy(module(inputs[rows]), targets[rows]).backward()
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()]).float().numpy()


@given(sizes=st.lists(st.integers(1, 12), min_size=1, max_size=5), model=st.sampled_from(["logistic", "mlp"]))
def test_one_full_local_step_of_everybody_is_gradient_descent(sizes, model):
    at = bench(task(sizes, tests=(0,) * len(sizes)), model=model, batch_size=None)
    np.testing.assert_allclose(federated(at), central(at, ROUNDS), rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", ["logistic", {"name": "cnn", "channels": [3], "hidden": [5]}])
def test_one_node_with_many_local_steps_is_gradient_descent(model):
    at = bench(task((9,), features=(8, 8), tests=(0,)), model=model, batch_size=None, epochs=4)
    np.testing.assert_allclose(federated(at), central(at, 4 * ROUNDS), rtol=0, atol=1e-6)


@pytest.mark.parametrize("algorithm", [{"name": "fedprox", "proximity": 0.0}, "scaffold"])
def test_algorithms_without_their_effect_are_federated_averaging(algorithm):
    """No proximity; and control variates, which are all zero in the first round."""
    plain, other = bench(epochs=2), bench(epochs=2, algorithm=algorithm)
    rounds = 1 if algorithm == "scaffold" else ROUNDS
    np.testing.assert_allclose(federated(other, rounds), federated(plain, rounds), rtol=0, atol=1e-6)


def test_proximity_holds_models_near_the_start():
    def distance(proximity):
        at = bench(epochs=20, algorithm={"name": "fedprox", "proximity": proximity})
        return np.linalg.norm(federated(at, 1) - at.network.initial(0))

    assert distance(5.0) < 0.5 * distance(0.0)


def test_scaffold_full_batch_by_hand():
    """Two nodes, two local steps, two rounds, against the paper's algorithm written out."""
    at = bench(task((6, 6), tests=(0, 0)), algorithm="scaffold", batch_size=None, epochs=2)
    module, rate = at.network.module().double(), 0.1
    shards = [tuple(part.double() if part.is_floating_point() else part for part in at.train_shards[node]) for node in range(2)]

    def gradient(values, node):
        torch.nn.utils.vector_to_parameters(values, module.parameters())
        loss = cross_entropy(module(shards[node][0]), shards[node][1])
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, list(module.parameters()))])

    x, c = torch.from_numpy(at.network.initial(0)).double(), torch.zeros(at.size).double()
    own = [c.clone(), c.clone()]
    for _ in range(2):
        deltas, changes = [], []
        for node in range(2):
            y = x.clone()
            for _ in range(2):
                y = y - rate * (gradient(y, node) - own[node] + c)
            new = own[node] - c + (x - y) / (2 * rate)
            deltas.append(y - x)
            changes.append(new - own[node])
            own[node] = new
        x, c = x + sum(deltas) / 2, c + sum(changes) / 2
    np.testing.assert_allclose(federated(at, 2), x.numpy(), rtol=0, atol=1e-6)


def test_scaffold_takes_the_drift_out():
    """Nodes with opposite labels, many local steps: corrected, the federation comes nearer to what all data say."""
    small = task((20, 20), classes=2, tests=(0, 0))
    small.targets[:20], small.targets[20:40] = 0, 1
    small.inputs[:20, 0] += 1
    optimum = central(bench(small, batch_size=None), 3000, rate=0.5)

    def distance(algorithm):
        at = bench(small, algorithm=algorithm, batch_size=None, epochs=20, optimizer={"name": "sgd", "learning_rate": 0.5})
        return np.linalg.norm(federated(at, 60) - optimum)

    assert distance("scaffold") < 0.5 * distance("fedavg")


def test_a_complete_graph_mixing_uniformly_is_a_server():
    at = bench(task((6, 6, 6), tests=(0, 0, 0)), epochs=2)
    executor, nodes = Inline(at), range(3)
    models = [executor.put(at.network.initial(0)) for _ in nodes]
    for round in range(ROUNDS):
        jobs = [train(models[node], None, node=node, round=round, whole=True) for node in nodes]
        executor.run(jobs)
        trained = [job.outputs.update for job in jobs]
        mixes = []
        for node in nodes:
            others = [other for other in nodes if other != node]
            rows = tuple(trained[other] for other in others)
            mixes.append(mix(trained[node], rows, None, weights=(1 / 3,) * 3, origins=tuple(others), node=node, round=round))
        executor.run(mixes)
        models = [job.outputs.model for job in mixes]
    for model in models:
        assert to_numpy(model).tobytes() == to_numpy(models[0]).tobytes()
        np.testing.assert_allclose(to_numpy(model), federated(at), rtol=0, atol=1e-6)
