"""What is wrong between settings."""

import re

import pytest
import torch

from coterie.scenario import Scenario
from coterie.scenario.check import check, check_with_data
from coterie.scenario.setup import Setup


def places(**settings):
    return {fault.place: fault for fault in check(Scenario(**{"task": "digits", "nodes": 8, **settings}))}


def test_a_good_scenario_has_no_faults():
    assert places() == {}
    assert places(architecture="decentralized", topology="ring", algorithm="fedprox") == {}
    assert places(nodes=None, task="heart-disease") == {}


@pytest.mark.parametrize(
    ("settings", "place", "problem", "fix"),
    [
        ({"architecture": "decentralized", "algorithm": "scaffold"}, "algorithm", "scaffold needs a server", "centralized"),
        ({"participation": 9}, "participation", "9 nodes are to take part and there are 8", "at most 8"),
        ({"partition": {"name": "iid", "pooled": 4}}, "partition.pooled", "there are others", "nodes: 1"),
        ({"nodes": None, "partition": "dirichlet"}, "nodes", "does not say how many", "nodes: 16"),
        ({"until": {"target": {"metric": "acuracy", "value": 1}}}, "until.target.metric", "is not measured", "accuracy"),
        ({"until": {"converged": {"metric": "f2"}}}, "until.converged.metric", "is not measured", "loss"),
        ({"until": {"rounds": 20, "converged": {"patience": 4}}, "evaluation": 5}, "evaluation.every", "4 evaluations are too few", ""),
        ({"topology": {"name": "small-world", "neighbours": 3}}, "topology.neighbours", "must be even", "2 or 4"),
        ({"topology": {"name": "edges", "pairs": [[0, 1]]}, "architecture": "decentralized"}, "topology", "groups", "add edges"),
        ({"topology": "isolated"}, "topology", "no aggregator can be reached", ""),
        ({"roles": {"proxy": [8]}}, "roles.proxy", "there is no node 8", "0 to 7"),
        ({"roles": {"aggregator": [0], "idle": [0]}}, "roles.aggregator", "nobody aggregates", ""),
        ({"training": {"optimizer": {"nesterov": True}}}, "training.optimizer.nesterov", "needs a momentum", "0.9"),
    ],
)
def test_what_does_not_go_together(settings, place, problem, fix):
    found = places(**settings)
    assert list(found) == [place]
    assert problem in found[place].problem
    assert fix in found[place].fix


def test_faults_of_different_kinds_are_told_together():
    found = places(architecture="decentralized", algorithm="scaffold", participation=9, topology={"name": "regular", "degree": 99})
    assert set(found) == {"algorithm", "participation", "topology.degree"}


def test_own_metrics_can_end_a_run():
    settings = {"training": {"metrics": ["my_metrics:f1"]}, "until": {"target": {"metric": "f1", "value": 0.9}}}
    assert places(**settings) == {}


def test_nodes_that_are_meant_to_be_alone_may_be():
    assert places(topology="isolated", architecture="decentralized") == {}


def with_data(**settings):
    return {fault.place: fault for fault in check_with_data(Setup(Scenario(**{"task": "digits", "nodes": 8, **settings})))}


def test_with_its_data_a_good_scenario_has_no_faults_either():
    assert with_data() == {}
    lists = [list(range(first, first + 200)) for first in (0, 200, 400)]
    assert with_data(nodes=None, partition={"name": "explicit", "lists": lists}) == {}
    assert "proxy" in next(iter(with_data(nodes=None, partition={"name": "explicit", "lists": lists}, roles={"proxy": [7]})))
    assert with_data(task="diabetes", until={"target": {"metric": "r2", "value": 0.3}}) == {}


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("1 / 0", r"fails on one batch: ZeroDivisionError: division by zero \(.*tried_\d\.py, line 3, in train\)"),
        ("model(data.inputs[:, :, :3])", "fails on one batch: RuntimeError"),
        ("return model", "gives a "),
        ("return torch.nn.Linear(1, 1), 1, {}", "gives a model without the same"),
        ("return model, len(data), {}", ""),
    ],
)
def test_a_training_function_of_ones_own_is_tried_on_one_batch(body, problem, tmp_path, request):
    name = f"tried_{request.node.callspec.indices['body']}"
    (tmp_path / f"{name}.py").write_text(f"import torch\ndef train(model, data, context):\n    {body}\n    return model, len(data), {{}}\n")
    drawn = torch.get_rng_state()
    found = with_data(training={"function": f"{name}:train"}, folder=str(tmp_path))
    assert torch.equal(drawn, torch.get_rng_state())
    assert list(found) == (["training.function"] if problem else [])
    if problem:
        assert re.search(problem, found["training.function"].problem), found
        assert found["training.function"].problem.startswith(f"{name}:train ")


@pytest.mark.parametrize(
    ("settings", "places", "problem"),
    [
        ({"partition": {"name": "iid", "minimum": 999}}, ["partition"], ""),
        ({"training": {"loss": "cros-entropy"}}, ["training.loss"], "called 'cros-entropy' for a classification"),
        ({"training": {"loss": "no_such_module:f", "function": "no_such_module:g"}}, ["training.loss", "training.function"], "no module"),
        ({"training": {"metrics": ["r2"]}}, ["training.metrics"], "there is no metric called 'r2' for a classification"),
        ({"task": {"dataset": "digits", "model": "no_such_module:Net"}}, ["task.model.name"], "no module"),
        ({"task": {"dataset": "digits", "model": "char-lstm"}}, ["task.model"], ""),
        ({"until": {"target": {"metric": "r2", "value": 0.3}}}, ["until.target.metric"], "r2 is not measured in a classification"),
        ({"task": "diabetes", "until": {"converged": {"metric": "accuracy_own"}}}, ["until.converged.metric"], "in a regression"),
        (
            {"aggregation": {"name": "trimmed_mean", "byzantine": 4}},
            ["aggregation"],
            "needs at least 9, there are 8 (n ≥ 2f + 1 for f = 4 bad ones) (node 0)",
        ),
        (
            {"aggregation": {"name": "trimmed_mean", "byzantine": 2}, "architecture": "decentralized", "topology": "ring"},
            ["aggregation"],
            "needs at least 5, there are 3",
        ),
        ({"training": {"device": "cuda:77"}}, ["training.device"], "there is no device 'cuda:77' here"),
    ],
)
def test_what_shows_with_the_data(settings, places, problem):
    found = with_data(**settings)
    assert list(found) == places
    assert problem in found[places[0]].problem
