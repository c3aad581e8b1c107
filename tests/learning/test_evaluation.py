import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from coterie.learning import evaluation
from coterie.learning.executors.inline import Inline
from coterie.learning.jobs import evaluate
from learning.benches import bench, task

OWN = "learning.own_code:"


def facts(at, on, node=0, nodes=(), model=None):
    executor = Inline(at)
    job = evaluate(executor.put(at.network.initial(0) if model is None else model), node=node, round=0, on=on, nodes=nodes)
    executor.run([job])
    return job.outputs.facts.value


def by_hand(at, inputs, targets):
    module = at.network.module(at.network.initial(0)).eval()
    outputs = module(torch.from_numpy(inputs))
    labels = torch.from_numpy(targets)
    return {
        "accuracy": (outputs.argmax(1) == labels).double().mean().item(),
        "loss": cross_entropy(outputs, labels).item(),
    }


@pytest.mark.parametrize("model", ["logistic", {"name": "mlp", "hidden": [5]}, f"{OWN}Normed"])
def test_on_the_common_test_set_and_on_a_nodes_own(model):
    at = bench(model=model)
    own = at.task.test[2]
    common = by_hand(at, at.task.common_inputs, at.task.common_targets)
    assert facts(at, "common") == pytest.approx(common, rel=1e-5)
    expected = by_hand(at, at.task.inputs[own], at.task.targets[own])
    assert facts(at, "own", node=2) == pytest.approx({f"{name}_own": value for name, value in expected.items()}, rel=1e-5)


def test_a_node_without_a_test_part_has_no_facts():
    assert facts(bench(), "own", node=1) == {}


def test_every_nodes_own_part_in_one_pass():
    at = bench(metrics=(f"{OWN}confidence",))
    each = facts(at, "each")
    assert set(each) == {"accuracy_own", "loss_own", "confidence_own"}
    for node in (0, 2):
        assert {name: values[node] for name, values in each.items()} == pytest.approx(facts(at, "own", node=node), rel=1e-5)
    assert all(math.isnan(values[1]) for values in each.values())
    assert facts(at, "each", nodes=(2,))["loss_own"] == pytest.approx([each["loss_own"][2]])
    own_loss = bench(loss=f"{OWN}half_loss")
    assert facts(own_loss, "each")["loss_own"][0] == pytest.approx(each["loss_own"][0] / 2)


def test_nobody_has_a_test_part():
    assert facts(bench(task(tests=(0, 0, 0))), "each") == {}


def test_regression():
    at = bench(task(classes=0, features=(4,)))
    found = facts(at, "common")
    module = at.network.module(at.network.initial(0))
    targets, outputs = at.task.common_targets, module(torch.from_numpy(at.task.common_inputs)).detach().numpy()[:, 0]
    assert found["loss"] == pytest.approx(np.mean((outputs - targets) ** 2), rel=1e-5)
    assert found["r2"] == pytest.approx(1 - np.sum((outputs - targets) ** 2) / np.sum((targets - targets.mean()) ** 2), rel=1e-5)
    each = facts(at, "each")
    assert each["r2_own"][2] == pytest.approx(facts(at, "own", node=2)["r2_own"], rel=1e-5)


def test_the_size_of_chunks_changes_nothing_much(monkeypatch):
    at = bench(model={"name": "mlp", "hidden": [5]})
    whole = facts(at, "common")
    monkeypatch.setattr(evaluation, "CHUNK_NUMBERS", 13)
    assert facts(at, "common") == pytest.approx(whole, rel=1e-5)


def test_broadcast_sections_are_not_part_of_the_model():
    at = bench(algorithm="scaffold")
    model = np.concatenate([at.network.initial(0), np.full(at.network.layout.size, np.nan)])
    assert facts(at, "common", model=model) == facts(bench(), "common")


def test_evaluation_leaves_statistics_alone():
    at = bench(model=f"{OWN}Normed")
    assert facts(at, "common") == facts(at, "common")
