import subprocess
import sys

import numpy as np
import pytest

from coterie import algorithms
from coterie.algorithms import ALGORITHMS, Algorithm
from coterie.algorithms.algorithm import first_model
from coterie.core.errors import ScenarioError

START, END = np.array([1.0, 2.0]), np.array([0.5, 4.0])


def test_fedavg_by_hand():
    fedavg = algorithms.build("fedavg")
    assert fedavg.gradient is None
    (delta,), state = fedavg.finish(START, END, (), (), 0.3)
    assert (delta.tolist(), state) == ([-0.5, 2.0], ())
    assert fedavg.server(START, (np.array([1.0, -1.0]),), (), (), 0.5)[0].tolist() == [2.0, 1.0]


def test_fedprox_by_hand():
    fedprox = algorithms.build({"name": "fedprox", "proximity": 0.5})
    assert fedprox.gradient(np.array([1.0, 1.0]), END, START, (), ()).tolist() == [0.75, 2.0]


def test_fedadam_two_rounds_by_hand():
    fedadam = algorithms.build({"name": "fedadam", "learning_rate": 0.5, "beta1": 0.5, "beta2": 0.75, "adaptivity": 0.1})
    model, broadcast, state = fedadam.server(np.array([1.0]), (np.array([2.0]),), (), (), 1.0)
    momentum, square = 0.5 * 2.0, 0.75 * 0.01 + 0.25 * 4.0
    assert model == pytest.approx(1 + 0.5 * momentum / (square**0.5 + 0.1))
    assert [float(part[0]) for part in state] == pytest.approx([momentum, square])
    again, _, state = fedadam.server(model, (np.array([-1.0]),), broadcast, state, 1.0)
    momentum, square = 0.5 * momentum - 0.5, 0.75 * square + 0.25
    assert again == pytest.approx(model + 0.5 * momentum / (square**0.5 + 0.1))


def test_scaffold_by_hand():
    scaffold = algorithms.build({"name": "scaffold", "server_rate": 0.5})
    shared, own = np.array([0.2, 0.4]), np.array([0.1, 0.1])
    assert scaffold.gradient(np.array([1.0, 1.0]), END, START, (shared,), (own,)) == pytest.approx([1.1, 1.3])
    (delta, change), (control,) = scaffold.finish(START, END, (shared,), (own,), 0.5)  # say, 5 steps at 0.1
    assert delta == pytest.approx([-0.5, 2.0])
    assert control == pytest.approx([0.1 - 0.2 + 0.5 / 0.5, 0.1 - 0.4 - 2.0 / 0.5])
    assert change == pytest.approx(control - own)
    model, (after,), state = scaffold.server(START, (np.array([2.0, 2.0]), np.array([1.0, -1.0])), (shared,), (), 0.25)
    assert model == pytest.approx([2.0, 3.0])
    assert after == pytest.approx([0.45, 0.15])
    assert state == ()


def test_momentum_by_hand():
    momentum = algorithms.build({"name": "momentum", "beta": 0.75})
    (sent,), (kept,) = momentum.finish(START, END, (), (np.array([4.0, 0.0]),), 0.1)
    assert sent.tolist() == kept.tolist() == [0.75 * 4 - 0.25 * 0.5, 0.25 * 2.0]


def test_first_published_vectors():
    assert first_model(np.array([1.0, 2.0]), algorithms.build("fedavg")).tolist() == [1, 2]
    assert first_model(np.array([1.0, 2.0]), algorithms.build("scaffold")).tolist() == [1, 2, 0, 0]


@pytest.mark.parametrize("name", ALGORITHMS.names())
def test_every_algorithm_keeps_the_contract(name):
    algorithm = algorithms.build(name)
    assert isinstance(algorithm, Algorithm)
    assert algorithm.update[0] == "delta"
    vector = np.ones(3)
    broadcast = tuple(np.zeros(3) for _ in algorithm.broadcast)
    client = tuple(np.zeros(3) for _ in algorithm.client_state)
    if algorithm.gradient is not None:
        assert algorithm.gradient(vector, vector, vector, broadcast, client).shape == (3,)
    update, kept = algorithm.finish(vector, 2 * vector, broadcast, client, 0.1)
    assert (len(update), len(kept)) == (len(algorithm.update), len(algorithm.client_state))
    assert update[0].tolist() == [1, 1, 1] or algorithm.rewrites
    model, published, state = algorithm.server(vector, update, broadcast, (), 1.0)
    assert (model.shape, len(published), len(state)) == ((3,), len(algorithm.broadcast), len(algorithm.server_state))
    assert vector.tolist() == [1, 1, 1]
    assert bool(algorithm.centralized_only) == bool(algorithm.broadcast or algorithm.server_state or algorithm.normalizes)


def test_wrong_names_and_parameters():
    with pytest.raises(ScenarioError, match="fedprox"):
        algorithms.build("fedprx")
    with pytest.raises(ScenarioError, match=r"algorithm\.proximity"):
        algorithms.build({"name": "fedprox", "proximity": -1})


def test_algorithms_are_known_without_torch():
    code = "import sys; from coterie import algorithms as a; [a.build(n) for n in a.ALGORITHMS.names()]; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
