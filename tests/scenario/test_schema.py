"""The JSON schema says what the check says."""

import json

import jsonschema
import pytest

from coterie.core.errors import ScenarioError
from coterie.scenario import Scenario
from coterie.scenario.choice import Choice
from coterie.scenario.schema import schema

VALIDATOR = jsonschema.Draft202012Validator(schema())


def kinds(kind=Choice):
    for inner in kind.__subclasses__():
        yield inner
        yield from kinds(inner)


def test_it_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert json.loads(json.dumps(schema())) == schema()


def test_what_the_architecture_sets_is_told_in_words():
    settings = schema()["properties"]["topology"], schema()["$defs"]["Roles"]["properties"]["aggregator"]
    for about, words in zip(settings, ("a star", "node 0"), strict=True):
        assert "default" not in about
        assert about["description"].startswith("By default ")
        assert words in about["description"]
    centralized, moving, decentralized = (
        Scenario(task="digits", nodes=4, architecture=name) for name in ("centralized", "semi-decentralized", "decentralized")
    )
    assert [made.topology.name for made in (centralized, moving, decentralized)] == ["star", "full", "full"]
    assert [list(made.roles.aggregator.nodes) for made in (centralized, decentralized)] == [[0], ["all"]]
    assert moving.roles.aggregator.rotate == "round-robin"


GOOD = [
    {"task": "digits"},
    {"task": "my_data:load", "nodes": 4},
    {"task": {"dataset": "digits", "model": {"name": "my_model:Net", "width": 3}}, "until": {"target": 0.9}},
    {"task": {"dataset": {"name": "csv", "path": "a.csv", "target": "y"}, "model": {"hidden": [3]}, "preprocess": ["flatten"]}},
    {"task": "digits", "participation": 0.1, "partition": {"minimum": 3}, "training": {"batch_size": "all", "steps": 2}},
    {"task": "digits", "participation": 10, "aggregation": {"mixing": "uniform"}, "topology": {"name": "star", "center": 3}},
    {"task": "digits", "participation": {"name": "number", "count": 1}, "executor": "inline", "device": 1e9, "evaluation": 3},
    {"task": "digits", "roles": {"trainer": "rest", "proxy": [3, "4-6"], "idle": 0.1, "aggregator": {"count": 1, "rotate": "random"}}},
    {"task": "digits", "partition": {"name": "rotation", "of": {"name": "dirichlet", "alpha": 0.1}}, "baselines": ["local"]},
    Scenario(task="digits", nodes=4, architecture="decentralized").resolved(),
    Scenario(task="digits", preset="cross-device", until={"converged": {}}, partition="shards").resolved(),
]
BAD = [
    {},
    {"task": "digitz"},
    {"task": {"dataset": "digits", "modle": "mlp"}},
    {"task": {"dataset": "csv"}},
    {"task": "digits", "nodes": 0},
    {"task": "digits", "nodes": True},
    {"task": "digits", "until": "long"},
    {"task": "digits", "participation": 1.5},
    {"task": "digits", "participation": "number"},
    {"task": "digits", "partition": {"name": "dirichlet", "alpha": 0}},
    {"task": "digits", "partition": {"name": "dirichlet", "beta": 1}},
    {"task": "digits", "topology": {"name": "small-world", "rewiring": 2}},
    {"task": "digits", "topology": {"neighbours": 2}},
    {"task": "digits", "training": {"batch_size": "some"}},
    {"task": "digits", "roles": {"proxy": "some"}},
    {"task": "digits", "baselines": ["none"]},
    {"task": "digits", "algorithm": {"name": "fedprox", "mu": "big"}},
]


@pytest.mark.parametrize("settings", GOOD)
def test_what_is_a_scenario_is_so_by_both(settings):
    assert [error.message for error in VALIDATOR.iter_errors(settings)] == []
    Scenario.of(settings)


@pytest.mark.parametrize("settings", BAD)
def test_what_is_none_is_none_by_both(settings):
    assert not VALIDATOR.is_valid(settings)
    with pytest.raises(ScenarioError):
        Scenario.of(settings)


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_every_registered_name_is_an_alternative_with_its_parameters(kind):
    alternatives = {one["title"]: one for one in schema()["$defs"][kind.__name__]["anyOf"] if "title" in one}
    for name in kind.things().names():
        entry = kind.things().entry(name)
        beside = set(kind.model_fields) - {"params"}
        assert set(alternatives[name]["properties"]) == set(entry.parameters.model_fields) | beside
        assert alternatives[name]["description"] == entry.doc
        assert alternatives[name]["additionalProperties"] is False
