"""Attacks as they are written: what goes together, what does not and what to write instead."""

import pytest

import coterie
from coterie.scenario.check import check, check_with_data
from coterie.scenario.setup import Setup


def scenario(*attacks, **settings):
    return coterie.Scenario(**{"task": "digits", "nodes": 10, "until": 5, "attacks": list(attacks), **settings})


def test_what_is_written_comes_back():
    attacks = [
        "sign_flip",
        {"name": "alie", "who": [1, "3-4"], "when": {"from": 2, "to": 4, "stealthy": 2.5}, "knowledge": ["honest", "rule"], "z": 1.0},
        {"name": "interference", "action": "drop", "who": {"links": [[0, 1]]}, "when": {"once": 3}},
        {"name": "scaling", "who": 0.3, "when": "stealthy"},
    ]
    made = scenario(*attacks)
    assert coterie.Scenario.of(made.resolved()) == made
    assert made.resolved()["attacks"][1]["when"] == {"from": 2, "to": 4, "stealthy": 2.5}
    assert made.attacks[0].who.share == 0.2
    assert made.attacks[3].when.stealthy == 3.5


GRAPH = {"architecture": "decentralized"}
WRONG = [
    ({"name": "mimic"}, {}, "attacks.0.knowledge", "has to see honest", "write knowledge: honest"),
    ({"name": "optimal_alie", "knowledge": "honest"}, {}, "attacks.0.knowledge", "has to see rule", "write knowledge: [honest, rule]"),
    ({"name": "sign_flip", "knowledge": "nothing"}, {}, "attacks.0.knowledge", "has to see own", "write knowledge: own"),
    ({"name": "dissensus", "knowledge": "honest"}, {}, "attacks.0.name", "aims at the nodes of a graph", "architecture: decentralized"),
    ({"name": "sign_flip", "who": [0]}, {}, "attacks.0.who.nodes", "node 0 aggregates", "name others"),
    ({"name": "sign_flip", "who": [10]}, {}, "attacks.0.who.nodes", "there is no node 10", "0 to 9"),
    ({"name": "sign_flip", "who": {"number": 10}}, {}, "attacks.0.who.number", "of 9 that could", "at most 9"),
    ({"name": "sign_flip", "who": 0.01}, {}, "attacks.0.who.share", "is nobody", "number"),
    ({"name": "sign_flip", "who": {"number": 10}}, GRAPH, "attacks", "every node that trains is an attacker", "somebody honest"),
    ({"name": "sign_flip", "who": {"links": [[0, 1]]}}, {}, "attacks.0.who.links", "is played by members", "interference"),
    ({"name": "interference", "who": [1]}, {}, "attacks.0.who", "is played on links", "links"),
    ({"name": "interference", "who": {"links": [[1, 2]]}}, {}, "attacks.0.who.links", "are not linked", "two neighbours"),
    ({"name": "sign_flip", "when": {"once": 5}}, {}, "attacks.0.when.once", "there is no round 5", "0 to 4"),
    ({"name": "label_flip", "when": "stealthy"}, {}, "attacks.0.when.stealthy", "no update", "leave it out"),
    ({"name": "dropout"}, {}, "attacks.0", "would wait for ever", "semi-synchronous"),
    ({"name": "interference", "action": "drop"}, GRAPH, "attacks.0", "would wait for ever", "semi-synchronous"),
    ({"name": "sign_flip"}, {**GRAPH, "schedule": "asynchronous"}, "attacks.0", "no round to attack", "synchronous"),
    (
        {"name": "optimal_alie", "knowledge": "rule"},
        {**GRAPH, "aggregation": {"name": "sentinel"}},
        "attacks.0",
        "which no attacker knows",
        "search",
    ),
]


@pytest.mark.parametrize(("attack", "settings", "place", "problem", "fix"), WRONG)
def test_what_does_not_go_together(attack, settings, place, problem, fix):
    (fault,) = check(scenario(attack, **settings))
    assert fault.place == place
    assert problem in fault.problem
    assert fix in fault.fix


def test_a_node_replaces_its_update_in_one_way_at_a_time():
    first = {"name": "sign_flip", "who": [2, 3], "when": {"to": 2}}
    assert not check(scenario(first, {"name": "scaling", "who": [2], "when": {"from": 3}}))
    assert not check(scenario(first, {"name": "label_flip", "who": [2]}))
    (fault,) = check(scenario(first, {"name": "scaling", "who": [3, 4], "when": {"from": 2}}))
    assert (fault.place, "by attacks.0 (sign_flip)" in fault.problem) == ("attacks.1.who", True)


BAD = [
    ({"name": "sign_flip", "when": {"once": 1, "to": 3}}, "attacks.0.when.once"),
    ({"name": "sign_flip", "when": {"from": 3, "to": 1}}, "attacks.0.when.to"),
    ({"name": "sign_flip", "when": {"until": 3}}, "attacks.0.when.until"),
    ({"name": "sign_flip", "who": 3}, "attacks.0.who"),
    ({"name": "sign_flip", "who": {"number": 3, "share": 0.1}}, "attacks.0.who.share"),
    ({"name": "sign_flip", "who": {"nodes": [1], "position": "central"}}, "attacks.0.who.position"),
    ({"name": "sign_flip", "knowledge": "everything"}, "attacks.0.knowledge"),
    ({"name": "sign_flop"}, "attacks.0"),
    ({"name": "sign_flip", "scale": -1}, "attacks.0.scale"),
]


@pytest.mark.parametrize(("attack", "place"), BAD)
def test_what_cannot_be_written(attack, place):
    with pytest.raises(coterie.ScenarioError) as error:
        scenario(attack)
    assert [fault.place for fault in error.value.faults] == [place]


WITH_DATA = [
    ({"name": "backdoor", "target": 10}, "digits", "attacks.0.target", "there is no class 10"),
    ({"name": "label_flip", "mode": "targeted", "source": 12, "target": 1}, "digits", "attacks.0.source", "there is no class 12"),
    ({"name": "label_flip"}, "diabetes", "attacks.0", "numbers are predicted"),
    ({"name": "backdoor", "size": 50}, "digits", "attacks.0.size", "does not fit"),
    ({"name": "label_flip", "mode": "targeted"}, "digits", "attacks.0.target", "is missing"),
]


@pytest.mark.parametrize(("attack", "task", "place", "problem"), WITH_DATA)
def test_what_shows_with_the_data(attack, task, place, problem):
    fault = check_with_data(Setup(scenario(attack, task=task)))[0]
    assert fault.place == place
    assert problem in fault.problem


def test_real_nodes_do_not_play_along():
    from coterie.runtime.simulated_only import faults

    (fault,) = faults(scenario("sign_flip"))
    assert (fault.place, "are played in simulations only" in fault.problem) == ("attacks", True)
