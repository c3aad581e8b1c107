import math

import numpy as np
import pytest
import torch

from coterie import aggregation
from coterie.aggregation import RULES
from coterie.algorithms.algorithm import first_model
from coterie.algorithms.jobs import aggregate, mix
from coterie.core.errors import ScenarioError
from coterie.learning.executors import to_numpy
from coterie.learning.executors.inline import Inline
from coterie.learning.jobs import train
from learning.benches import bench

OWN = "learning.own_code:"


def aggregated(at, rows, *, weights=None, origins=None, model=None, server=None, rule=None, fraction=1.0, node=0, round=0, cap=math.inf):
    executor = Inline(at)
    model = first_model(np.zeros(at.size, np.float32), at.algorithm) if model is None else model
    job = aggregate(
        executor.put(model),
        None if server is None else executor.put(server),
        None if rule is None else executor.put(rule),
        tuple(executor.put(row) for row in rows),
        weights=(1.0,) * len(rows) if weights is None else weights,
        origins=tuple(range(len(rows))) if origins is None else origins,
        fraction=fraction,
        node=node,
        round=round,
        cap=cap,
    )
    executor.run([job])
    out = job.outputs
    return to_numpy(out.model), to_numpy(out.server), to_numpy(out.rule), out.facts.value


def mixed(at, own, others, *, weights, origins, node):
    executor = Inline(at)
    job = mix(executor.put(own), tuple(executor.put(row) for row in others), None, weights=weights, origins=origins, node=node, round=0)
    executor.run([job])
    return to_numpy(job.outputs.model), job.outputs.facts.value


def full(at, *values):
    return [np.full(at.size, value, np.float32) for value in values]


def test_fedavg_adds_the_weighted_mean():
    at = bench()
    model, server, rule, facts = aggregated(at, full(at, 1.0, 4.0), weights=(2.0, 1.0), model=np.full(at.size, 10.0))
    assert model == pytest.approx(12)
    assert (len(server), len(rule)) == (0, 0)
    assert facts == {"aggregated": 2, "rejected": []}


def test_the_order_of_arrival_changes_no_bit():
    at, draw = bench(), np.random.default_rng(0)
    rows, weights = list(draw.standard_normal((7, at.size)).astype(np.float32)), tuple(draw.random(7))
    expected = aggregated(at, rows, weights=weights)[0].tobytes()
    for _ in range(5):
        order = draw.permutation(7)
        shuffled = [rows[place] for place in order], tuple(weights[place] for place in order), tuple(order.tolist())
        assert aggregated(at, shuffled[0], weights=shuffled[1], origins=shuffled[2])[0].tobytes() == expected


@pytest.mark.parametrize("rule", ["mean", "median", {"name": "trimmed_mean", "byzantine": 0}])
@pytest.mark.parametrize(
    "bad",
    [
        lambda size: np.full(size, np.nan),
        lambda size: np.concatenate([np.ones(size - 1), [np.inf]]),
        lambda size: np.concatenate([np.ones(size - 1), [-np.inf]]),
        lambda size: np.ones(size + 1),
        lambda size: np.ones(0),
    ],
)
def test_bad_updates_are_left_out_and_named(rule, bad):
    at = bench(rule=rule)
    model, _, _, facts = aggregated(at, [*full(at, 1.0, 3.0), bad(at.size)], origins=(4, 2, 7))
    assert model == pytest.approx(2)
    assert facts == {"aggregated": 2, "rejected": [7]}


def test_updates_that_cancel_each_others_infinities_are_found():
    at = bench()
    model, _, _, facts = aggregated(at, [*full(at, np.inf, -np.inf, 5.0)])
    assert model == pytest.approx(5)
    assert facts == {"aggregated": 1, "rejected": [0, 1]}


@pytest.mark.parametrize("weight", [math.nan, math.inf, -1.0])
def test_impossible_weights_are_left_out(weight):
    at = bench()
    model, _, _, facts = aggregated(at, full(at, 1.0, 9.0), weights=(5.0, weight))
    assert model == pytest.approx(1)
    assert facts["rejected"] == [1]


@pytest.mark.parametrize("algorithm", ["fedavg", "fedadam", "scaffold"])
def test_with_none_left_everything_stays(algorithm):
    at = bench(algorithm=algorithm)
    sections = len(at.algorithm.update)
    start = np.arange((1 + len(at.algorithm.broadcast)) * at.size, dtype=np.float32)
    server = np.ones(len(at.algorithm.server_state) * at.size, dtype=np.float32)
    for rows, weights in (([np.full(sections * at.size, np.nan)] * 2, (1.0, 1.0)), ([np.ones(sections * at.size)] * 2, (0.0, 0.0))):
        model, kept, _, facts = aggregated(at, rows, weights=weights, model=start, server=server)
        assert (model == start).all()
        assert (kept == server).all()
        assert facts["aggregated"] == 0


def test_finite_updates_that_add_up_to_more_than_a_number_can_be_change_nothing():
    plain, at = bench(), bench(algorithm="fedadam")
    start = np.full(plain.size, 3e38, np.float32)
    model, server, _, facts = aggregated(plain, full(plain, 3e38, 3e38), model=start)
    assert (model == start).all()
    assert (len(server), facts["aggregated"]) == (0, 0)
    model, server, _, facts = aggregated(at, full(at, 3e20, 3e20))  # its square is too large for FedAdam's state
    assert (len(server), facts["aggregated"], np.abs(model).max()) == (0, 0, 0)


def test_too_few_for_the_rule_keeps_the_model():
    at = bench(rule={"name": "trimmed_mean", "byzantine": 1})
    model, _, _, facts = aggregated(at, full(at, 1.0, 2.0), model=np.full(at.size, 7.0))
    assert model == pytest.approx(7)
    assert facts == {"aggregated": 0, "rejected": []}


def test_a_cap_bounds_a_lie():
    at = bench()
    rows = full(at, 0.0, 0.0, 1.0)
    assert aggregated(at, rows, weights=(10.0, 10.0, 1e9))[0] == pytest.approx(1, abs=1e-6)
    assert aggregated(at, rows, weights=(10.0, 10.0, 1e9), cap=2.0)[0] == pytest.approx(0.5)


def test_server_state_goes_round():
    at = bench(algorithm={"name": "fedadam", "learning_rate": 0.5})
    first = aggregated(at, full(at, 1.0))
    assert len(first[1]) == 2 * at.size
    second = aggregated(at, full(at, 1.0), model=first[0], server=first[1])
    alone = aggregated(at, full(at, 1.0), model=first[0])
    assert (second[0] > alone[0]).all()
    expected = at.algorithm.server(torch.zeros(at.size), (torch.ones(at.size),), (), (), 1.0)
    assert first[0] == pytest.approx(expected[0].numpy())


def test_scaffold_publishes_its_control_by_the_share_that_took_part():
    at = bench(algorithm="scaffold")
    row = np.concatenate([np.full(at.size, 2.0), np.full(at.size, 4.0)])
    model, _, _, _ = aggregated(at, [row, row, np.full(2 * at.size, np.nan)], fraction=0.3)
    assert model[: at.size] == pytest.approx(2)
    assert model[at.size :] == pytest.approx(4 * 0.2)  # two of the three updates of 0.3 were good


def test_what_is_not_trained_is_averaged_beside_the_algorithm():
    at = bench(model=f"{OWN}Normed", algorithm="fedadam")
    start, rows = at.network.initial(0), full(at, 1.0, 3.0)
    model, server, _, _ = aggregated(at, rows, model=start)
    trained = at.network.layout.trainable
    assert model[trained:] == pytest.approx(start[trained:] + 2)
    assert model[:trained] != pytest.approx(start[:trained] + 2)
    assert (server[trained : at.size] == 0).all()


def test_mixing_by_hand_in_node_order():
    at = bench()
    model, facts = mixed(at, *[full(at, 10.0)[0], full(at, 1.0, 2.0)], weights=(0.5, 0.3, 0.2), origins=(7, 0), node=3)
    assert model == pytest.approx(0.5 * 10 + 0.3 * 1 + 0.2 * 2)
    assert facts == {"aggregated": 3, "rejected": []}


def test_mixing_rows_are_ordered_by_node_with_weights_beside(monkeypatch):
    monkeypatch.setattr(RULES, "_entries", dict(RULES._entries))
    RULES.names()
    seen = {}

    @aggregation.rule
    def watch(updates, weights, *, own):
        seen.update(rows=updates[:, 0].tolist(), weights=weights.tolist(), own=own[0].item())
        return updates[0]

    at = bench(rule="watch")
    mixed(at, full(at, 30.0)[0], full(at, 50.0, 10.0), weights=(0.5, 0.25, 0.125), origins=(5, 1), node=3)
    assert seen == {"rows": [10, 30, 50], "weights": [0.125, 0.5, 0.25], "own": 30}


def test_a_bad_neighbour_is_left_out_of_the_mix():
    at = bench()
    model, facts = mixed(at, full(at, 2.0)[0], full(at, np.nan, 4.0), weights=(0.5, 0.25, 0.25), origins=(8, 9), node=3)
    assert model == pytest.approx((0.5 * 2 + 0.25 * 4) / 0.75)
    assert facts == {"aggregated": 2, "rejected": [8]}


def test_rules_get_the_reserved_inputs_they_ask_for(monkeypatch):
    monkeypatch.setattr(RULES, "_entries", dict(RULES._entries))
    RULES.names()
    seen = {}

    @aggregation.rule
    def curious(updates, weights, *, own, reference, start, history, losses, progress, key):
        seen.update(own=own, reference=reference, start=start, history=history, losses=losses, progress=progress, draw=key.random())
        return updates.mean(0), torch.ones(2) if history is None else history + 1

    at = bench(rule="curious", rounds=10)
    executor = Inline(at)
    start = at.network.initial(0)
    job = train(executor.put(start), None, node=1, round=4)
    executor.run([job])
    would_be = job.outputs.update.value
    rows = [np.zeros(at.size, np.float32), would_be.numpy()]
    _, _, state, _ = aggregated(at, rows, origins=(0, 2), model=start, node=1, round=4)
    assert state.tolist() == [1, 1]
    assert seen["own"].tolist() == [0] * at.size
    torch.testing.assert_close(seen["reference"], would_be)
    assert (seen["start"].numpy() == start).all()
    assert seen["progress"] == pytest.approx(0.4)
    inputs, targets = at.train_shards[1]
    for row, loss in zip(rows, seen["losses"], strict=True):
        at.replica.load(torch.from_numpy(start + row))
        assert loss.item() == pytest.approx(at.loss.mean(at.replica.outputs(inputs), targets).item(), rel=1e-5)
    draw, losses = seen["draw"], seen["losses"]
    _, _, state, _ = aggregated(at, rows, origins=(1, 2), model=start, node=1, round=4, rule=state)
    assert state.tolist() == [2, 2]
    assert (seen["draw"], seen["losses"].tolist()) == (draw, losses.tolist())
    assert (seen["own"].numpy() == rows[0]).all()
    assert (seen["reference"] is seen["own"]) or (seen["reference"] == seen["own"]).all()
    aggregated(at, rows, model=start, node=1, round=5)
    assert seen["draw"] != draw


def test_a_rule_that_does_not_exist():
    with pytest.raises(ScenarioError, match="median"):
        bench(rule="medain")


def test_inputs_are_never_changed():
    at = bench(algorithm="scaffold")
    executor = Inline(at)
    model, row = executor.put(np.ones(2 * at.size)), executor.put(np.ones(2 * at.size))
    executor.run([aggregate(model, None, None, (row, row), weights=(1.0, 2.0), origins=(0, 1), fraction=1.0, node=0, round=0)])
    executor.run([mix(model, (row,), None, weights=(0.5, 0.5), origins=(1,), node=0, round=0)])
    assert (model.value == 1).all()
    assert (row.value == 1).all()
