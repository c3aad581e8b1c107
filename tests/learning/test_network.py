import subprocess
import sys

import numpy as np
import pytest
import torch

from coterie.core.errors import ScenarioError
from coterie.learning.layers import Conv2d, Embedding, Linear, Lstm, MaxPool2d
from coterie.learning.models import MODELS
from coterie.learning.modules import flops_of, layout_of
from coterie.learning.network import Network

CASES = {
    "logistic": ("logistic", (64,), 10, None, 650),
    "logistic on images": ("logistic", (1, 8, 8), 10, None, 650),
    "linear regression": ("logistic", (10,), 1, None, 11),
    "mlp": ({"name": "mlp", "hidden": [32]}, (64,), 10, None, 2410),
    "deep mlp": ({"name": "mlp", "hidden": [16, 8]}, (1, 4, 4), 3, None, 16 * 17 + 16 * 8 + 8 + 27),
    "mlp without hidden layers": ({"name": "mlp", "hidden": []}, (5,), 2, None, 12),
    "the CNN of the FedAvg paper": ("cnn", (28, 28), 10, None, 1_663_370),
    "the same with a channel axis": ("cnn", (1, 28, 28), 10, None, 1_663_370),
    "the CNN of the benchmarks": ({"name": "cnn", "kernel": 3, "hidden": [128]}, (3, 32, 32), 10, None, 545_098),
    "CNN without padding": ({"name": "cnn", "same_padding": False, "channels": [4], "kernel": 4}, (1, 9, 9), 2, None, 20_038),
    "char-lstm": ({"name": "char-lstm", "hidden": 16}, (20,), 30, 30, 30 * 8 + 4 * 16 * (8 + 16 + 2) + 4 * 16 * (32 + 2) + 17 * 30),
}


@pytest.mark.parametrize("case", CASES)
def test_layout_cost_and_module_agree(case):
    choice, features, outputs, vocabulary, size = CASES[case]
    network = Network.of(choice, features, outputs, vocabulary=vocabulary)
    module = network.module(network.initial(seed=3))
    assert network.layout.size == size
    assert layout_of(module) == network.layout
    assert module(network.sample(2)).shape == (2, outputs)
    if "lstm" not in case:  # torch does not count LSTMs
        assert network.flops == flops_of(module, network.sample(1))


def test_lstm_flops_by_hand():
    network = Network.of({"name": "char-lstm", "hidden": 16, "layers": 1}, (20,), 30, vocabulary=30)
    assert network.flops == 20 * 2 * 4 * 16 * (8 + 16) + 2 * 16 * 30


@pytest.mark.parametrize("case", CASES)
def test_initial_models_are_distributed_as_torch_initialises(case):
    choice, features, outputs, vocabulary, _ = CASES[case]
    network = Network.of(choice, features, outputs, vocabulary=vocabulary)
    ours = network.layout.views(network.initial(seed=1))
    module = network.module()
    torch.manual_seed(0)
    for part in module.modules():
        if hasattr(part, "reset_parameters"):
            part.reset_parameters()
    for name, theirs in module.named_parameters():
        mine = ours[name]
        assert mine.dtype == np.float32
        if mine.size >= 200:
            assert mine.std() == pytest.approx(theirs.std().item(), rel=0.15)
            assert abs(mine.mean()) < 5 * theirs.std().item() / np.sqrt(mine.size)
        if mine.size >= 200 and "embedding" not in name:  # uniform: the bounds are reached
            assert np.abs(mine).max() == pytest.approx(theirs.abs().max().item(), rel=0.05)


def test_bounds_of_first_values_by_hand():
    assert Linear(3).parameters((25,))["bias"].bound == 0.2
    assert Conv2d(3, 5).parameters((4, 9, 9))["bias"].bound == 0.1
    assert Lstm(16, 1).parameters((7, 2))["bias_hh_l0"].bound == 0.25


def test_the_initial_model_depends_on_the_seed_alone():
    network = Network.of("mlp", (6,), 3)
    assert (network.initial(1) == Network.of("mlp", (6,), 3).initial(1)).all()
    assert (network.initial(1) != network.initial(2)).mean() > 0.99


def test_built_in_models_are_known_without_torch():
    code = """
import sys
from coterie.learning.network import Network
from coterie.learning.models import MODELS
from coterie.learning.settings import Training
from coterie.learning import jobs, executors
from coterie import algorithms
from coterie.algorithms import jobs as more
Network.of("cnn", (28, 28), 10).initial(1), Network.of("cnn", (28, 28), 10).flops, MODELS.names(), algorithms.ALGORITHMS.names()
Training(loss="cross-entropy", metrics=("accuracy",)).faults("classification")
print([name for name in ("torch", "sklearn", "pandas", "pyarrow") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_making_modules_leaves_torchs_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    Network.of("cnn", (8, 8), 10).module()
    assert (torch.get_rng_state() == before).all()


def test_vectors_and_modules_share_names():
    network = Network.of({"name": "mlp", "hidden": [4]}, (2,), 3)
    assert [entry.name for entry in network.layout.entries] == ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"]
    vector = np.arange(network.layout.size, dtype=np.float32)
    assert network.module(vector).linear1.bias.tolist() == vector[8:12].tolist()


@pytest.mark.parametrize(
    ("choice", "features", "vocabulary", "words"),
    [
        ("mpl", (6,), None, "mlp"),
        ({"name": "mlp", "hiden": [3]}, (6,), None, "hidden"),
        ({"name": "mlp", "hidden": [0]}, (6,), None, "task.model.hidden"),
        ("cnn", (64,), None, "needs images"),
        ("cnn", (3, 3), None, "too small"),
        ({"name": "cnn", "kernel": 4}, (28, 28), None, "odd"),
        ({"name": "cnn", "kernel": 9, "same_padding": False}, (8, 8), None, "does not fit"),
        ("char-lstm", (20,), None, "reads tokens, the data set has numbers"),
        ("mlp", (20,), 30, "reads numbers, the data set has tokens"),
        ({"hidden": [3]}, (6,), None, "name"),
    ],
)
def test_what_does_not_fit_is_said(choice, features, vocabulary, words):
    with pytest.raises(ScenarioError, match=words) as found:
        Network.of(choice, features, 10, vocabulary=vocabulary)
    assert all(fault.place.startswith("task.model") for fault in found.value.faults)


def test_layers_that_do_not_fit_each_other():
    for layer, shape in ((Linear(3), (2, 2)), (Conv2d(2, 3), (4,)), (Embedding(5, 2), (2, 2))):
        with pytest.raises(ScenarioError, match="axes"):
            layer.output(shape)
    assert MaxPool2d(2).output((3, 5, 4)) == (3, 2, 2)


def test_every_model_of_ours_is_tried_here():
    tried = {choice if isinstance(choice, str) else choice["name"] for choice, *_ in CASES.values()}
    assert tried == {name for name in MODELS.names() if MODELS.entry(name).thing.__module__.startswith("coterie.")}
