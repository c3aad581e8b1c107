"""Roles as written, and as the federation gets them."""

import pytest

from coterie.core.errors import ScenarioError
from coterie.scenario import Scenario
from coterie.scenario.roles import roles_of


def rules(nodes=10, seed=0, **roles):
    scenario = Scenario(task="digits", nodes=nodes, roles=roles)
    return roles_of(scenario.roles, nodes, seed, coupled=False)


def test_ids_and_ranges():
    found = rules(trainer=["3-5", 0, 4], aggregator=[9])
    assert found.trainer.candidates.tolist() == [0, 3, 4, 5]
    assert found.aggregator.candidates.tolist() == [9]
    assert found.proxy.candidates.tolist() == found.idle.candidates.tolist() == []


def test_the_rest_is_everybody_without_another_fixed_role():
    assert rules(trainer="rest", aggregator=[0], proxy=["7-9"], idle=[5]).trainer.candidates.tolist() == [1, 2, 3, 4, 6]


def test_a_share_is_drawn_once():
    found = rules(100, idle={"share": 0.1}).idle
    assert len(found.candidates) == 10
    assert not found.rotates
    assert found.candidates.tolist() == rules(100, idle=0.1).idle.candidates.tolist() != rules(100, 1, idle=0.1).idle.candidates.tolist()


def test_a_rotating_role_is_held_in_turn():
    found = rules(5, aggregator={"count": 2, "rotate": "round-robin"}).aggregator
    assert [found.at(number, 0, "aggregator").tolist() for number in range(3)] == [[0, 1], [2, 3], [0, 4]]


def test_a_random_one_by_a_draw_each_round():
    found = rules(20, aggregator={"nodes": ["5-14"], "share": 0.2, "rotate": "random"}).aggregator
    holders = [found.at(number, 0, "aggregator").tolist() for number in range(30)]
    assert all(len(who) == 2 and set(who) <= set(range(5, 15)) for who in holders)
    assert len({node for who in holders for node in who}) == 10


def test_nodes_that_are_not_there():
    with pytest.raises(ScenarioError) as caught:
        rules(4, proxy=[4], idle=["2-7"])
    assert [(fault.place, fault.problem) for fault in caught.value.faults] == [
        ("roles.proxy", "there is no node 4"),
        ("roles.idle", "there is no node 7"),
    ]


def test_more_holders_than_there_are_to_choose_from():
    with pytest.raises(ScenarioError) as caught:
        rules(4, proxy={"nodes": [1, 2], "count": 3}, idle={"count": 5})
    assert [(fault.place, fault.fix) for fault in caught.value.faults] == [
        ("roles.proxy.count", "write at most 2"),
        ("roles.idle.count", "write at most 4"),
    ]


def test_roles_of_which_none_is_listed():
    found = rules(4, trainer="all", aggregator="all", proxy="rest", idle={"count": 1, "rotate": "random"})
    assert found.proxy.candidates.tolist() == [0, 1, 2, 3]


def test_what_is_not_written_is_that_of_the_architecture():
    scenario = Scenario(task="digits", nodes=4, architecture="semi-decentralized", roles={"idle": [3]})
    assert scenario.resolved()["roles"] == {
        "trainer": "all",
        "aggregator": {"nodes": "all", "count": 1, "rotate": "round-robin"},
        "proxy": [],
        "idle": [3],
    }
