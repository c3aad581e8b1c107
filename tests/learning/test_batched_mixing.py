import math
from functools import partial

import numpy as np
import pytest

from coterie.algorithms.jobs import mix
from coterie.learning.executors.inline import Inline
from coterie.learning.executors.processes import Processes
from learning.benches import bench, task

GRAPH = {0: (1, 3), 1: (0,), 2: (3,), 3: (0, 2, 4), 4: (3,)}
WIDE = {"name": "mlp", "hidden": [300]}
"""3,003 numbers: two blocks of columns and a rest."""


RULES = ["mean", "median", "geometric_median", "self_centered_clipping"]


def at_of(engine="fast", model=WIDE, rule="mean"):
    return bench(task(sizes=(3,) * 5, tests=(0,) * 5), model=model, rule=rule, engine=engine)


def rows_of(at, seed=0):
    return np.random.default_rng(seed).standard_normal((5, at.size)).astype(np.float32)


def mixed(at, rows, executor=None, nodes=tuple(GRAPH), weights=None):
    """(model, facts) of every node after mixing `rows` over the graph."""
    executor = executor or Inline(at)
    models = [executor.put(row) for row in rows]
    jobs = []
    for node in nodes:
        others = GRAPH[node]
        own = weights or (0.5, *[0.5 / len(others)] * len(others))
        found = tuple(models[other] for other in others)
        jobs.append(mix(models[node], found, None, weights=own[: len(others) + 1], origins=others, node=node, round=0))
    executor.run(jobs)
    return [(job.outputs.model.value.numpy(), job.outputs.facts.value) for job in jobs]


@pytest.mark.parametrize("model", ["logistic", WIDE])
@pytest.mark.parametrize("rule", RULES)
def test_mixing_agrees(model, rule):
    fast, exact = (at_of(engine, model, rule) for engine in ("fast", "exact"))
    rows = rows_of(fast)
    for (vector, facts), (wanted, known) in zip(mixed(fast, rows), mixed(exact, rows), strict=True):
        np.testing.assert_allclose(vector, wanted, rtol=1e-5, atol=1e-6)
        assert facts == known


def test_by_hand():
    at = at_of(model="logistic")
    (vector, facts), *_ = mixed(at, np.outer([8, 4, 0, 20, 0], np.ones(at.size)))
    assert vector == pytest.approx(8 / 2 + (4 + 20) / 4)
    assert facts == {"aggregated": 3, "rejected": []}


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_bad_model_is_left_out_where_it_came_from_and_nowhere_else(bad, rule):
    fast, exact = at_of(rule=rule), at_of("exact", rule=rule)
    rows = rows_of(fast)
    rows[1, 2500] = bad
    found, wanted = mixed(fast, rows), mixed(exact, rows)
    assert [facts for _, facts in found] == [facts for _, facts in wanted]
    assert [facts["rejected"] for _, facts in found] == [[1], [1], [], [], []]
    for (vector, _), (other, _) in zip(found, wanted, strict=True):
        np.testing.assert_allclose(vector, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("rule", RULES)
def test_models_of_another_size_and_impossible_weights_are_left_out(rule):
    fast, exact = at_of(rule=rule), at_of("exact", rule=rule)
    rows = list(rows_of(fast))
    rows[1] = rows[1][:-1]
    assert [facts for _, facts in mixed(fast, rows)] == [facts for _, facts in mixed(exact, rows)]
    for weights in ((0.5, math.nan, 0.2, 0.3), (0.5, -1.0, 0.2, 0.3), (0.0, 0.0, 0.0, 0.0)):
        found, wanted = (mixed(at, rows_of(at), weights=weights) for at in (fast, exact))
        assert [facts for _, facts in found] == [facts for _, facts in wanted]


@pytest.mark.parametrize("rule", RULES)
def test_bits_depend_on_no_companion_and_no_number_of_workers(rule):
    made = partial(at_of, rule=rule)
    rows = rows_of(made())
    wanted = [vector.tobytes() for vector, _ in mixed(made(), rows)]
    assert [mixed(made(), rows, nodes=(node,))[0][0].tobytes() for node in GRAPH] == wanted
    pool = Processes(made, 2)
    try:
        assert [vector.tobytes() for vector, _ in mixed(made(), rows, executor=pool)] == wanted
    finally:
        pool.close()


def test_the_order_of_arrival_changes_no_bit():
    at = at_of()
    executor, rows = Inline(at), rows_of(at)
    models, found = [executor.put(row) for row in rows], set()
    for others in ((0, 2, 4), (4, 0, 2), (2, 4, 0)):
        weights = (0.4, *(0.1 + other / 20 for other in others))
        job = mix(models[3], tuple(models[other] for other in others), None, weights=weights, origins=others, node=3, round=0)
        executor.run([job])
        found.add(job.outputs.model.value.numpy().tobytes())
    assert len(found) == 1
