"""`membership:` in a scenario."""

import pytest

import coterie
from coterie.core.errors import ScenarioError
from coterie.scenario.check import check
from coterie.scenario.setup import Setup


def scenario(**settings):
    return coterie.Scenario(task="digits", nodes=6, until=10, **settings)


def faults(**settings) -> list[str]:
    return [f"{fault.place}: {fault.problem}" for fault in check(scenario(**settings))]


def test_nodes_watch_each_other_only_where_they_may_fail():
    assert Setup(scenario()).federation.membership is None
    assert Setup(scenario(faults=[{"name": "loss"}])).federation.membership.interval_seconds == 1.0
    assert Setup(scenario(membership={"interval_seconds": 0.5, "minimum": 2})).federation.membership.minimum == 2


def test_who_joins_and_leaves_is_in_the_plan():
    moves = {"join": [{"nodes": ["3-4"], "round": 2}], "leave": [{"nodes": [1], "round": 5}]}
    planner = Setup(scenario(architecture="decentralized", membership=moves)).planner
    assert [planner.table(number).trainers.tolist() for number in (0, 2, 5)] == [[0, 1, 2, 5], [0, 1, 2, 3, 4, 5], [0, 2, 3, 4, 5]]
    assert coterie.Scenario.of(scenario(membership=moves).resolved()) == scenario(membership=moves)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"membership": {"minimum": 7}}, "membership.minimum: 7 nodes are to be there, and 6 exist"),
        ({"membership": {"join": [{"nodes": [2], "round": 10}]}}, "membership.join.0.round: there is no round 10"),
        ({"membership": {"join": [{"nodes": [9], "round": 1}]}}, "membership.join.0.nodes: there is no node 9"),
        ({"membership": {"leave": [{"nodes": [0], "round": 3}]}}, "nobody aggregates in round 3"),
        ({"membership": {"join": [{"nodes": [2], "round": 5}], "leave": [{"nodes": [2], "round": 4}]}}, "leave before it has joined"),
        (
            {"architecture": "semi-decentralized", "membership": {"leave": [{"nodes": ["0-2"], "round": 4}]}},
            "only 3 of 6 nodes would be there at a time",
        ),
        (
            {"architecture": "decentralized", "schedule": "asynchronous", "membership": {"join": [{"nodes": [1], "round": 2}]}},
            "every node goes at its own pace",
        ),
        (
            {
                "architecture": "semi-decentralized",
                "schedule": "asynchronous",
                "faults": [{"name": "crash", "disk": "lost", "at_round": 1}],
            },
            "faults.inject.0.disk: node 0 aggregates in its turn and takes late updates",
        ),
        ({"roles": {"aggregator": [0, 1]}, "topology": "full", "membership": {}}, "membership: one of several aggregators"),
        (
            {
                "roles": {"aggregator": {"nodes": [0, 1], "count": 1, "rotate": "random"}, "proxy": [2]},
                "topology": "full",
                "membership": {},
            },
            "membership: the place of an aggregator that has gone",
        ),
    ],
)
def test_what_cannot_be_is_told(settings, said):
    assert any(said in fault for fault in faults(**settings)), faults(**settings)


def test_times_are_positive():
    with pytest.raises(ScenarioError, match=r"membership\.interval_seconds"):
        scenario(membership={"interval_seconds": 0})
