"""Detection and reputation in whole runs, in every architecture."""

import json
from collections import defaultdict

import pytest

import coterie
from coterie.scenario import Scenario
from coterie.scenario.check import check_with_data
from coterie.scenario.guarding import blind
from coterie.scenario.setup import Setup

BAD = (2, 7)
SHAPES = {
    "centralized": {},
    "semi-decentralized": {"architecture": "semi-decentralized"},
    "clustered": {"roles": {"aggregator": [0, 1]}, "topology": "full"},
    "decentralized": {"architecture": "decentralized", "topology": {"name": "regular", "degree": 7}},
}
DECENTRALIZED = SHAPES["decentralized"]


def scenario(shape="centralized", **settings):
    chosen = {
        "task": "digits",
        "nodes": 12,
        "until": 4,
        "attacks": [{"name": "sign_flip", "who": list(BAD)}],
        "training": {"batch_size": 16},
    }
    return Scenario(**{**chosen, **SHAPES[shape], **settings})


def run(tmp_path, wanted, name="run"):
    return coterie.run(wanted, out=tmp_path / name)


def judged(made):
    """(what, reason) → whose updates, each once for each node and round."""
    found = defaultdict(list)
    for line in (made.folder.path / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "judged":
            found[event["what"], event["reason"]] += [(event["node"], event["round"], other) for other in event["of"]]
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_attackers_are_found_and_told_with_the_reason(tmp_path, shape):
    made = run(tmp_path, scenario(shape, trust="beta"))
    found, defence = judged(made), made.summary.defence
    assert defence.recall == 1.0
    assert defence.precision > 0.8
    assert {origin for _, _, origin in found["cut", "reputation"]} >= set(BAD)
    assert sum(len(some) for some in found.values()) == sum(defence.judged.values())
    assert all(1 <= number <= 4 for some in found.values() for _, number, _ in some)


def test_a_reputation_goes_with_the_aggregator(tmp_path):
    """It moves every round, and knows in the last what its predecessors saw."""
    made = run(tmp_path, scenario("semi-decentralized", trust="beta"))
    scores = {}
    for line in (made.folder.path / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "judged" and event["reason"] == "reputation" and BAD[0] in event["of"]:
            scores[event["round"]] = event["scores"][event["of"].index(BAD[0])]
    assert scores[1] == pytest.approx(1 / 7, abs=1e-3)
    assert scores[4] < scores[1] / 2


def test_without_a_defence_the_same_attack_does_harm(tmp_path):
    attack = [{"name": "inner_product", "epsilon": 10.0, "knowledge": "honest", "who": list(BAD)}]
    bare, cut, trusted = (
        run(tmp_path, scenario(until=8, attacks=attack, **more), str(place)).summary.accuracy.mean
        for place, more in enumerate(({}, {"detection": "cut"}, {"trust": "multi-metric"}))
    )
    assert bare < 0.2 < 0.5 < min(cut, trusted)


@pytest.mark.parametrize("engine", ["exact", "fast"])
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_engines_and_executors_agree(tmp_path, engine, executor):
    settings = {"trust": {"name": "beta", "opinions": 0.5}, "until": 2, "engine": "exact"}
    one = run(tmp_path, scenario("decentralized", **settings), "one")
    other = scenario("decentralized", **settings | {"engine": engine}, executor={"name": executor, "workers": 2})
    other = run(tmp_path, other, "other")
    assert judged(one) == judged(other)
    if engine == "exact":
        assert one.summary.digest == other.summary.digest


def test_a_flag_changes_nothing_but_the_events(tmp_path):
    bare, flagged = (run(tmp_path, scenario(detection=some), str(some)) for some in (None, "flag"))
    assert bare.summary.accuracy.mean == pytest.approx(flagged.summary.accuracy.mean, abs=0.01)
    assert bare.summary.defence is None
    assert {what for what, _ in judged(flagged)} == {"flagged"}


def test_losses_on_own_data_are_looked_at_where_asked(tmp_path):
    flip = [{"name": "label_flip", "who": list(BAD)}]
    made = run(tmp_path, scenario("decentralized", attacks=flip, until=6, detection={"statistics": ["loss"]}))
    assert set(judged(made)) == {("flagged", "loss")}
    assert made.summary.defence.precision > 0.5


def test_who_is_in_quarantine_is_asked_only_now_and_then(tmp_path):
    always, seldom = (run(tmp_path, scenario(until=9, trust={"name": "beta", "asked_every": every}), str(every)) for every in (1, 4))
    assert seldom.summary.messages < always.summary.messages
    asked = {number for _, number, origin in judged(seldom)["flagged", "cosine"] if origin == BAD[0]}
    assert 2 <= len(asked) <= 4
    assert seldom.summary.defence.recall == 1.0


def test_links_are_to_the_best_neighbours(tmp_path):
    made = run(tmp_path, scenario("decentralized", trust={"name": "beta", "links": 3}))
    left = judged(made)["left out", "links"]
    each = defaultdict(int)
    for node, number, _ in left:
        each[node, number] += 1
    gone = defaultdict(int)
    for node, number, _ in judged(made)["cut", "reputation"]:
        gone[node, number] += 1
    assert {each[key] + gone[key] for key in each} == {7 - 3}


@pytest.mark.parametrize("name", ["krum", "caf", "bulyan"])
def test_what_a_rule_does_not_take_is_told(tmp_path, name):
    made = run(tmp_path, scenario(aggregation={"name": name, "byzantine": 2}, until=2))
    left = judged(made)["left out", name]
    per_round = {"krum": 11, "bulyan": 4}
    counts = [sum(number == which for _, number, _ in left) for which in (1, 2)]
    assert all(count >= 1 for count in counts)
    if name in per_round:
        assert all(abs(count - per_round[name]) <= 1 for count in counts)  # its own update is not told of
    if name != "krum":
        assert {origin for _, _, origin in left} & set(BAD)


@pytest.mark.parametrize(
    ("settings", "place", "problem"),
    [
        ({"detection": "down-weight", "aggregation": {"name": "krum", "byzantine": 1}}, "detection.action", "does not look at weights"),
        ({"detection": "cut", "aggregation": "foolsgold"}, "detection", "by their place"),
        ({"trust": "eigentrust"}, "trust", "what others think"),
        ({"trust": {"name": "beta", "links": 3}}, "trust.links", "only nodes that mix"),
        ({"trust": {"name": "beta", "asked_every": 3}, **DECENTRALIZED}, "trust.asked_every", "one aggregator"),
        ({"trust": "beta", "architecture": "decentralized", "topology": "ring"}, "trust", "at most 3 models come together"),
        ({"trust": "beta", "schedule": "asynchronous"}, "trust", "one by one"),
        ({"detection": {"statistics": ["loss"]}, "roles": {"trainer": {"nodes": "all"}}}, None, ""),
        ({"trust": {"name": "beta", "opinions": 1}, "aggregation": "centered_clipping", **DECENTRALIZED}, "trust.opinions", "no business"),
    ],
)
def test_what_does_not_go_together_is_refused(settings, place, problem):
    settings = {key: value for key, value in settings.items() if key != "roles"}
    faults = check_with_data(Setup(Scenario(**{"task": "digits", "nodes": 12, **settings})))
    assert [fault.place for fault in faults] == ([place] if place else [])
    if place:
        assert problem in faults[0].problem


def test_an_aggregator_without_data_cannot_look_at_losses():
    roles = {"trainer": list(range(1, 12)), "aggregator": [0]}
    (fault,) = check_with_data(Setup(Scenario(task="digits", nodes=12, roles=roles, detection={"statistics": ["loss"]})))
    assert "detection asks for losses, for which node 0" in fault.problem


def test_neighbourhoods_in_which_nothing_can_stand_out_are_named():
    house = {"name": "edges", "pairs": [[a, b] for a in range(6) for b in range(a)] + [[5, 6], [6, 7]]}
    made = Setup(Scenario(task="digits", nodes=8, architecture="decentralized", topology=house, detection="flag"))
    assert check_with_data(made) == []
    (words,) = blind(made)
    assert words.startswith("nodes 6, 7 get fewer than 5 at a time")
