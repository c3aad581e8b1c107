"""Attackers on the protocol: what stops them is there without a setting, with bounds on what they still do.

The bounds are on the final accuracy (a share), against the same federation in which nobody attacks or in which those nodes are not there.
"""

import numpy as np
import pytest

from coterie.adversaries.conduct import EVERY
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.messages import Update

BAD = {"who": [2, 5]}
LEARNING = {"optimizer": {"name": "sgd", "learning_rate": 0.1}, "batch_size": 16}
GRAPH = {"architecture": "decentralized", "topology": {"name": "regular", "degree": 4}}
SHAPES = [{}, GRAPH, {"architecture": "semi-decentralized"}]
WITH_DEADLINE = {"name": "semi-synchronous", "deadline_seconds": 1.0}


@pytest.fixture
def run(attacked):
    def with_learning(*attacks, **settings):
        return attacked(*attacks, **{"training": LEARNING, "until": 8, **settings})

    return with_learning


def refused(found):
    return dict(found.folder.events.rejected)


class Memory:
    """What an attacker looks back on: its updates of rounds 0 to 4."""

    luck = 0.3

    def earlier(self, message, rounds):
        return Update(message.round - rounds, NodeId(2), Handle(message.round - rounds), weight=7)


@pytest.mark.parametrize(
    ("attack", "sent"),
    [
        ({"name": "inflated_weight", "factor": 10.0}, [(5, 2, 5, 70, 0, 0.0)]),
        ({"name": "delay", "seconds": 3.0}, [(5, 2, 5, 7, 0, 3.0)]),
        ({"name": "dropout"}, []),
        ({"name": "flooding", "copies": 2}, [(5, 2, 5, 7, 0, 0.0)] * 2),
        ({"name": "flooding", "copies": 2, "numbered": True}, [(5, 2, 5, 7, 0, 0.0), (5, 2, 5, 7, 1, 0.0)]),
        ({"name": "replay", "age": 3}, [(5, 2, 5, 7, 0, 0.0), (2, 2, 2, 7, 0, 0.0)]),
        ({"name": "replay", "age": 3, "relabelled": True}, [(5, 2, 2, 7, 0, 0.0)]),
        ({"name": "strangers", "count": 1}, [(5, 2, 5, 7, 0, 0.0), (5, 1 << 20, 5, 7, 0, 0.0)]),
        ({"name": "interference", "action": "delay", "seconds": 2.0}, [(5, 2, 5, 7, 0, 2.0)]),
        ({"name": "interference", "action": "drop"}, []),
        ({"name": "interference", "action": "replay", "seconds": 2.0}, [(5, 2, 5, 7, 0, 0.0), (5, 2, 5, 7, 0, 2.0)]),
        ({"name": "interference", "action": "drop", "share": 0.2}, [(5, 2, 5, 7, 0, 0.0)]),
    ],
)
def test_what_is_sent_in_place_of_an_update(attack, sent):
    """By (round, origin, payload, weight, attempt, how much later)."""
    params = {name: value for name, value in attack.items() if name != "name"}
    thing = EVERY.entry(attack["name"]).thing(**params)
    found = thing.sends(Update(5, NodeId(2), Handle(5), weight=7), Memory())
    assert [(m.round, m.origin, m.payload.value, m.weight, m.attempt, late) for m, late in found] == sent


def test_a_replayed_update_is_as_old_as_it_says(attacked):
    """The federation written out: from round 2 on, an attacker's update is that of two rounds before."""
    from adversaries.test_update_attacks import Reference, settings

    reference, past = Reference(), []
    model = reference.start()
    for number in range(5):
        deltas = np.stack([reference.step(node, model) for node in range(8)])
        past.append(deltas.copy())
        if number >= 2:
            deltas[[2, 5]] = past[number - 2][[2, 5]]
        model = model + reference.sizes @ deltas / reference.sizes.sum()
    found = attacked({"name": "replay", "age": 2, "relabelled": True, **BAD}, **settings(until=5))
    np.testing.assert_allclose(found.folder.models().vector(0), model, atol=3e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_claim_of_more_samples_changes_nothing(run, shape):
    """The weight is capped by what a node is known to have."""
    assert run({"name": "inflated_weight", **BAD}, **shape).summary.digest == run(**shape).summary.digest


@pytest.mark.parametrize("shape", [*SHAPES, {"schedule": {"name": "asynchronous", "buffer": 2}, "device": {"spread": "uniform"}}])
@pytest.mark.parametrize("numbered", [False, True])
def test_a_flood_is_one_message(run, shape, numbered):
    """Copies are refused, also such as claim to be another attempt; nobody's model is another."""
    found = run({"name": "flooding", "copies": 20, "numbered": numbered, **BAD}, until=4, **shape)
    assert found.summary.digest == run(until=4, **shape).summary.digest
    assert refused(found)["duplicate"] >= 2 * 19


@pytest.mark.parametrize("shape", SHAPES)
def test_an_old_message_is_no_new_one(run, shape):
    found = run({"name": "replay", "age": 2, **BAD}, **shape)
    assert found.summary.digest == run(**shape).summary.digest
    assert refused(found)["stale"] + refused(found).get("duplicate", 0) >= 4


@pytest.mark.parametrize("shape", [{}, GRAPH])
def test_an_old_update_under_a_new_round_costs_little(run, shape):
    """Nothing can tell it from a slow learner's; at 2 of 8 it costs at most 5 points."""
    found = run({"name": "replay", "relabelled": True, "age": 3, **BAD}, until=15, **shape)
    assert found.summary.accuracy.mean >= run(until=15, **shape).summary.accuracy.mean - 0.05


@pytest.mark.parametrize("shape", SHAPES)
def test_invented_identities_are_strangers(run, shape):
    found = run({"name": "strangers", "count": 3, **BAD}, **shape)
    assert found.summary.digest == run(**shape).summary.digest
    assert refused(found)["stranger"] >= 8 * 3


def test_many_identities_weigh_what_their_samples_weigh(run):
    """Sybils that all send one update count together as much as the samples that they are known to have."""
    shards = run(until=1).setup.task.train.sizes
    found, honest = (run(*attacks, until=1) for attacks in ([{"name": "sybil", "who": [2, 5, 6]}], []))
    start = found.setup.initial
    own = {node: vector(run, node, shards) - start for node in range(8)}
    own[5] = own[6] = own[2]
    expected = start + sum(shards[node] * own[node] for node in range(8)) / shards.sum()
    np.testing.assert_allclose(found.folder.models().vector(0), expected, atol=1e-4)
    assert found.summary.digest != honest.summary.digest


def vector(run, node, shards):
    """What `node` makes of the first model: the run in which all others do not train, in effect."""
    riders = [other for other in range(1, 8) if other != node]
    found = run({"name": "free_rider", "who": riders}, until=1)
    start, total = found.setup.initial, shards.sum()
    moved = (found.folder.models().vector(0) - start) * total
    if node == 0:
        return start + moved / shards[0]
    first = (run({"name": "free_rider", "who": list(range(1, 8))}, until=1).folder.models().vector(0) - start) * total
    return start + (moved - first) / shards[node]


@pytest.mark.parametrize("shape", [{}, GRAPH])
def test_who_is_late_is_left_out(run, shape):
    """With a deadline, rounds take no longer than it, the late are refused, and the model is that of the others, within 5 points."""
    found = run({"name": "delay", "seconds": 30.0, **BAD}, schedule=WITH_DEADLINE, **shape)
    quick = run(schedule=WITH_DEADLINE, **shape)
    assert found.summary.virtual_seconds <= 8 * 1.1 + 31
    assert found.folder.events.seconds[-1] <= 8 * 1.1
    assert found.summary.accuracy.mean >= quick.summary.accuracy.mean - 0.05


def test_late_updates_that_still_come_are_refused(run):
    found = run({"name": "delay", "seconds": 1.5, **BAD}, schedule={**WITH_DEADLINE, "staleness_rounds": 0}, until=6)
    assert refused(found)["stale"] >= 2 * 4


def test_staleness_bounds_hold_where_nobody_waits(run):
    """An asynchronous aggregator takes nothing that is more rounds behind than it says."""
    schedule = {"name": "asynchronous", "buffer": 2, "staleness_rounds": 3}
    found = run({"name": "delay", "seconds": 0.03, **BAD}, schedule=schedule, until=60)
    assert refused(found)["stale"] >= 8
    assert found.summary.accuracy.mean >= run(schedule=schedule, until=60).summary.accuracy.mean - 0.05


@pytest.mark.parametrize("shape", [{}, GRAPH])
@pytest.mark.parametrize("schedule", [WITH_DEADLINE, {"name": "semi-synchronous", "quorum": 0.5, "deadline_seconds": 1.0}])
def test_dropping_out_with_the_model_in_hand_costs_little(run, shape, schedule):
    found = run({"name": "dropout", "when": {"from": 2}, **BAD}, schedule=schedule, until=12, **shape)
    assert found.summary.rounds == 12
    assert found.summary.accuracy.mean >= run(schedule=schedule, until=12, **shape).summary.accuracy.mean - 0.05


@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_free_riders_slow_the_others_down_and_no_more(run, noise):
    """A quarter that sends nothing of its own takes away at most 10 points of what 15 rounds reach."""
    found = run({"name": "free_rider", "noise": noise, **BAD}, until=15)
    assert found.summary.accuracy.mean >= run(until=15).summary.accuracy.mean - 0.1
    assert found.summary.samples_trained < run(until=15).summary.samples_trained


def test_the_noise_of_a_free_rider_is_as_long_as_the_last_change(attacked):
    """All but the aggregator ride: from the second round on, each rider's part of the change has the length of the change before."""
    task = {"dataset": "digits", "model": "logistic"}
    runs = [attacked({"name": "free_rider", "noise": 1.0, "who": [1]}, nodes=2, until=until, task=task) for until in (1, 2)]
    silent = [attacked({"name": "free_rider", "who": [1]}, nodes=2, until=until, task=task) for until in (1, 2)]
    first, second = (found.folder.models().vector(0) for found in runs)
    without = silent[1].folder.models().vector(0)
    start, sizes = runs[0].setup.initial, runs[0].setup.task.train.sizes
    np.testing.assert_array_equal(first, silent[0].folder.models().vector(0))
    noise = (second - without) * sizes.sum() / sizes[1]
    assert np.linalg.norm(noise) == pytest.approx(np.linalg.norm(first - start), rel=1e-3)


OUTSIDE = {"name": "interference", "who": {"links": [[0, 3], [0, 6]]}}


@pytest.mark.parametrize("action", ["alter", "delay", "replay"])
def test_outsiders_cost_time_and_nothing_else(run, action):
    """They have no certificate: what they alter is seen, what they repeat is a repeat."""
    found = run({**OUTSIDE, "action": action, "seconds": 0.001})
    honest = run()
    assert found.summary.digest == honest.summary.digest
    assert found.summary.virtual_seconds <= honest.summary.virtual_seconds + 8 * 2 * 0.001 + 0.01
    messages = 2 * (8 + 1 + 8 + 1)  # a model and an update a round, the final model and a goodbye
    assert refused(found).get("corrupt", 0) == (messages if action == "alter" else 0)
    assert sum(refused(found).get(reason, 0) for reason in ("duplicate", "stale")) >= (messages - 6 if action == "replay" else 0)


def test_a_cut_link_costs_little(run):
    found = run({**OUTSIDE, "action": "drop"}, schedule=WITH_DEADLINE, until=12)
    assert found.summary.rounds == 12
    assert found.summary.accuracy.mean >= run(schedule=WITH_DEADLINE, until=12).summary.accuracy.mean - 0.05


def test_an_outsider_hits_the_share_it_says(run):
    found = run({**OUTSIDE, "action": "alter", "share": 0.25, "seconds": 0.001}, until=60)
    assert 0.15 * 242 <= refused(found)["corrupt"] <= 0.35 * 242
