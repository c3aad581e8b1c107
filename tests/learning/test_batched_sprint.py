"""Nodes that take all their steps in one go: as those that go step by step, apart by rounding; and who does so."""

import numpy as np
import pytest
import torch

from coterie.core.jobs import Call
from coterie.learning.batched import sprint
from coterie.learning.batched.training import train
from learning.benches import bench, task

MLP = {"name": "mlp", "hidden": [16, 9]}
SIZES = (7, 5, 12, 1, 3, 4, 8, 12)


def calls_of(at, *, whole, alike=True):
    first = torch.from_numpy(at.network.initial(0))
    starts = [first if alike else first + 0.01 * node for node in range(len(SIZES))]
    return [Call((start, None), (None, whole and (whole == "all" or node % 2 == 0)), node, 0) for node, start in enumerate(starts)]


def made(**settings):
    classes = settings.pop("classes", 3)
    return bench(task(sizes=SIZES, tests=(0,) * len(SIZES), classes=classes), engine="fast", chunk=3, **settings)


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("whole", [False, "all", "some"])
@pytest.mark.parametrize("settings", [{}, {"epochs": 3}, {"steps": 4}, {"batch_size": None}, {"classes": 0}])
@pytest.mark.parametrize("model", ["logistic", MLP])
def test_it_agrees_with_one_step_after_the_other(monkeypatch, model, settings, whole, alike):
    at = made(model=model, **{"batch_size": 3, **settings})
    calls = calls_of(at, whole=whole, alike=alike)
    at_once = train(at, at.batched, calls)
    monkeypatch.setattr(sprint, "MOST_SAMPLES", 0)
    for (update, _, facts), (wanted, _, known) in zip(at_once, train(at, at.batched, calls), strict=True):
        assert float((update - wanted).norm() / wanted.norm()) < 2e-5
        assert facts == pytest.approx(known, rel=1e-4)


def test_rows_may_lie_anywhere(monkeypatch):
    """As in memory that is shared with workers, where room is wherever rows are free."""
    at = made(model=MLP)
    calls = calls_of(at, whole=False)
    together = [update.clone() for update, _, _ in train(at, at.batched, calls)]
    at.allocate = torch.empty
    for update, wanted in zip(train(at, at.batched, calls), together, strict=True):
        assert torch.equal(update[0], wanted)


@pytest.mark.parametrize(
    ("settings", "who"),
    [
        ({"model": "logistic"}, [True, True, False, False]),  # 3 outputs: few earlier samples are worth it
        ({"model": MLP}, [True, True, True, False]),
        ({"model": MLP, "clip_norm": 1.0}, [False] * 4),
        ({"model": MLP, "optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9}}, [False] * 4),
        ({"model": MLP, "algorithm": "fedprox"}, [False] * 4),
        ({"model": MLP, "algorithm": "scaffold"}, [False] * 4),
    ],
)
def test_who_sprints_follows_from_the_nodes_numbers(settings, who):
    at = made(**settings)
    found = sprint.sprints(at, at.batched, np.array([1, 3, 10, 30]), np.array([4, 4, 4, 4]))
    assert found.tolist() == who
