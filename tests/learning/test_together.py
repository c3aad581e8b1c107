"""One look at the models of a round serves every neighbourhood: the same picks as one by one, also where a model is bad."""

import numpy as np
import pytest
import torch

from coterie import aggregation
from coterie.core.jobs import Call
from coterie.learning.together import Together

NODES, SIZE = 12, 3000


def models(bad=()):
    rows = 1 + 1e-3 * torch.from_numpy(np.random.default_rng(0).standard_normal((NODES, SIZE), dtype=np.float32))
    rows[list(bad)] = torch.nan
    return list(rows)


def calls(vectors, degree=6):
    found = []
    for node in range(NODES):
        others = tuple(sorted((node + step) % NODES for step in range(1, degree + 1)))
        found.append(Call((vectors[node], None, *(vectors[other] for other in others)), ((1.0,) * (degree + 1), others, ()), node, 0))
    return found


@pytest.mark.parametrize(
    "name", ["krum", "geometric_median", "bridge_krum", "monna", "self_centered_clipping", "caf", "nearest_neighbour_mixing"]
)
def test_every_neighbourhood_gets_what_it_would_alone(name):
    vectors = models()
    rule = aggregation.build(name, **({"byzantine": 1} if "byzantine" in aggregation.RULES.entry(name).parameters.model_fields else {}))
    some = calls(vectors)
    together = Together(some)
    for call in some:
        rows = [call.inputs[0], *call.inputs[2:]]
        given = {"own": rows[0]} if "own" in rule.inputs else {}
        alone, shared = (rule.points(rows, **given) for _ in range(2))
        together.share(shared, rows, list(given.values()))
        assert shared.shared is not None
        weights = np.ones(len(rows))
        one, other = rule.on(alone, weights, **given), rule.on(shared, weights, **given)
        torch.testing.assert_close(one, other, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(shared.squared, alone.squared, rtol=1e-4, atol=1e-9)


def test_distances_are_those_between_the_right_models():
    vectors = models()
    together = Together(calls(vectors))
    rows, own = [vectors[place] for place in (7, 2, 9)], vectors[4]
    points = aggregation.build("monna", byzantine=1).points(rows, own=own)
    together.share(points, rows, [own])
    wide = torch.stack([*rows, torch.zeros(SIZE), own]).double()
    np.testing.assert_allclose(np.sqrt(points.squared), torch.cdist(wide, wide).numpy(), rtol=1e-3, atol=1e-6)


def test_a_model_that_is_not_finite_spoils_nobody_elses():
    vectors = models(bad=[3])
    together = Together(calls(vectors))
    assert [together.finite(vector) for vector in vectors] == [node != 3 for node in range(NODES)]
    points = aggregation.build("krum", byzantine=0).points(vectors[:3])
    together.share(points, vectors[:3], [])
    assert np.isfinite(points.squared).all()
    spoiled = aggregation.build("krum", byzantine=0).points(vectors[2:5])
    together.share(spoiled, vectors[2:5], [])
    assert spoiled.shared is None


def test_a_thin_graph_is_left_to_its_neighbourhoods():
    vectors = [torch.full((4,), float(node)) for node in range(40)]
    ring = [Call((vectors[node], None, vectors[node - 1]), ((1.0, 1.0), ((node - 1) % 40,), ()), node, 0) for node in range(40)]
    points = aggregation.build("krum", byzantine=0).points(vectors[:2])
    Together(ring).share(points, vectors[:2], [])
    assert points.shared is None
