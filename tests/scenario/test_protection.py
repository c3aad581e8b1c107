"""Which nodes a rule protects: for every neighbourhood, every selection and every cluster."""

import pytest

from coterie.scenario import Scenario
from coterie.scenario.check import check_with_data
from coterie.scenario.protection import gatherings, protection, unguarded
from coterie.scenario.setup import Setup

HOUSE = {"name": "edges", "pairs": [[0, 1], [1, 2], [2, 3], [3, 0], [0, 2], [1, 3], [3, 4], [4, 5], [5, 3]]}
"""Four nodes that know each other; 3 also knows 4 and 5, which know each other."""


def setup(**settings):
    return Setup(Scenario(**{"task": "digits", "nodes": 12, **settings}))


def rule(name="trimmed_mean", byzantine=1, **more):
    return {"name": name, "byzantine": byzantine, **more}


def unprotected(made, **how):
    return {node: one.reason for one in protection(made, **how).unprotected for node in one.nodes}


def test_every_neighbourhood_of_a_graph_is_looked_at():
    made = setup(nodes=6, architecture="decentralized", topology=HOUSE, aggregation="median")
    assert {one.node: one.fewest for one in gatherings(made)} == {0: 4, 1: 4, 2: 4, 3: 6, 4: 3, 5: 3}
    assert unprotected(made, byzantine=1) == {}
    found = unprotected(made, byzantine=2)
    assert sorted(found) == [0, 1, 2, 4, 5]
    assert found[0] == "needs at least 5, there are 4 (n ≥ 2f + 1 for f = 2 bad ones)"
    assert sorted(unprotected(made, byzantine=3)) == [0, 1, 2, 3, 4, 5]


def test_attackers_count_where_they_are_neighbours_and_only_there():
    made = setup(nodes=6, architecture="decentralized", topology=HOUSE, aggregation="median")
    found = protection(made, attackers=frozenset({4, 5}))
    assert {one.node: one.bad for one in found.gatherings} == {0: 0, 1: 0, 2: 0, 3: 2, 4: 1, 5: 1}
    assert found.unprotected == ()  # 3 has six models, and needs five
    found = unprotected(made, attackers=frozenset({0, 1}))
    assert sorted(found) == [2]  # two of four; 3 has two of six, and 0 and 1 are the attackers


def test_the_size_of_the_selection_is_what_counts_in_a_star():
    assert [one.fewest for one in gatherings(setup(participation=5))] == [5]
    made = setup(participation=5, aggregation=rule("krum", 1))
    assert unprotected(made) == {}
    assert unprotected(made, byzantine=2) == {0: "it is set up for byzantine: 1, not 2"}
    assert [one.reason for one in protection(setup(participation=4, aggregation="median"), byzantine=2).unprotected]


def test_a_round_that_closes_early_has_fewer():
    semi = {"name": "semi-synchronous", "quorum": 0.5, "deadline_seconds": 60}
    made = setup(schedule=semi, aggregation=rule(byzantine=4))
    (one,) = gatherings(made)
    assert (one.fewest, one.most) == (1 + 6, 12)  # the server trains too
    assert unprotected(made) == {0: "needs at least 9, there are 7 (n ≥ 2f + 1 for f = 4 bad ones)"}


def test_an_asynchronous_server_has_its_buffer():
    made = setup(schedule={"name": "asynchronous", "buffer": 4}, aggregation=rule("krum", 1))
    assert [(one.fewest, one.most) for one in gatherings(made)] == [(4, 4)]
    (fault,) = check_with_data(made)
    assert "needs at least 5, there are 4" in fault.problem


def test_a_moving_aggregator_gathers_at_every_node_it_comes_to():
    made = setup(architecture="semi-decentralized", until=5, aggregation=rule(byzantine=1))
    found = gatherings(made)
    assert len(found) > 1
    assert {one.fewest for one in found} == {12}


def test_clusters_collect_and_exchange():
    made = setup(roles={"aggregator": [0, 1, 2]}, topology="full", aggregation="median")
    found = {(one.node, one.exchange): one.fewest for one in gatherings(made)}
    assert {key for key in found if key[1]} == {(0, True), (1, True), (2, True)}
    assert all(found[node, True] == 3 for node in range(3))
    assert sum(found[node, False] for node in range(3)) == 12
    assert sorted(unprotected(made, byzantine=1)) == []
    assert sorted(unprotected(made, byzantine=2)) == [0, 1, 2]


def test_a_rule_that_could_never_exchange_is_refused():
    made = setup(roles={"aggregator": [0, 1]}, topology="full", aggregation=rule(byzantine=1))
    (fault,) = check_with_data(made)
    assert "needs at least 3, there are 2" in fault.problem
    assert "to exchange (nodes 0, 1)" in fault.problem


def test_the_fix_says_how_many_can_be_stood():
    made = setup(architecture="decentralized", topology="ring", aggregation=rule("bridge_trimmed_mean", 1))
    (fault,) = check_with_data(made)
    assert "needs at least 4, there are 3" in fault.problem
    assert "tolerate at most 0" in fault.fix
    assert "and 7 more" in fault.problem


@pytest.mark.parametrize(
    ("aggregation", "words"),
    [
        ("mean", "mean stands no bad updates"),
        ("median", "median would stand 5 bad ones"),
        (rule("trimmed_mean", 2), "stands 2 bad updates at every node; the fewest updates are 12, at node 0"),
        ({"name": "bucketing", "size": 2, "then": "median"}, "would stand 2"),
    ],
)
def test_words(aggregation, words):
    assert words in " ".join(protection(setup(aggregation=aggregation)).words())


def test_a_mean_under_attack_is_told_what_to_do():
    (words,) = protection(setup(), byzantine=2).words()
    assert words == (
        "node 0 is not protected from 2 bad: mean: a single bad update moves the result as far as it likes; "
        "choose a rule that stands some, such as {name: trimmed_mean, byzantine: 2}"
    )


@pytest.mark.parametrize(("architecture", "other"), [("centralized", "fltrust"), ("decentralized", "sentinel")])
def test_of_a_majority_only_ones_own_data_protect(architecture, other):
    words = list(
        protection(setup(architecture=architecture, topology={"centralized": "star"}.get(architecture, "full")), byzantine=9).words()
    )
    assert f"by data of its own, such as {other}" in words[-1]


def test_nothing_guards_the_aggregator_and_that_is_said():
    assert "nothing protects from a bad aggregator: what node 0 publishes, for all" in next(unguarded(setup()))
    assert "each in its turn" in next(unguarded(setup(architecture="semi-decentralized")))
    (clustered,) = unguarded(setup(roles={"aggregator": [0, 1]}, topology="full"))
    assert clustered == (
        "nothing protects from a bad aggregator: what nodes 0, 1 publish, each for those it serves, is taken as it is; "
        "let only those aggregate whom all trust, or write architecture: decentralized"
    )
    assert list(unguarded(setup(architecture="decentralized", topology="ring"))) == []
    attacked = setup(architecture="semi-decentralized", attacks=[{"name": "sign_flip", "who": [2, 7]}])
    assert list(unguarded(attacked))[-1] == "nodes 2, 7 are attackers and may aggregate"


def test_of_rounds_that_differ_the_one_with_the_fewest_counts():
    made = setup(roles={"aggregator": [0, 1]}, topology="full", participation=6, until=15)
    by_hand = {0: [], 1: []}
    for number in range(15):
        table = made.planner.table(number)
        for node, counts in by_hand.items():
            counts.append(sum(to == node for to in table.sends_to.values()))
    found = {one.node: one for one in gatherings(made) if not one.exchange}
    for node, counts in by_hand.items():
        assert (found[node].fewest, found[node].most) == (min(counts), max(counts))
        assert found[node].round == counts.index(min(counts))
    assert len(set(by_hand[0])) > 1
