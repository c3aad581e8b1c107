"""Looks at many groups of updates at once are those at each alone."""

import numpy as np
import pytest

from coterie.aggregation import Points
from coterie.trust import Detection, Seen
from coterie.trust.looks import looks


def groups(kind):
    """Forty groups of nine updates, of which some are alike, some far, some around one of them."""
    for seed in range(40):
        draw = np.random.default_rng(seed)
        rows = draw.standard_normal((9, 300))
        if kind == "alike":
            rows[seed % 9 :] = rows[0]
        elif kind == "far":
            rows[: seed % 4] *= 1e3
        elif kind == "raw weights":
            rows = 1 + 1e-3 * rows
        yield rows.astype(np.float32)


@pytest.mark.parametrize("kind", ["random", "alike", "far", "raw weights"])
def test_a_group_is_seen_as_it_is_alone(kind):
    points = [Points(rows) for rows in groups(kind)]
    together = looks([one.gram for one in points], 9)
    alone = [looks([one.gram], 9)[0] for one in points]
    for one, other in zip(together, alone, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    seen = [Seen(one) for one in points]
    found, each = Detection().found_in(seen), [Detection().found(one) for one in seen]
    for one, other in zip(found, each, strict=True):
        assert np.array_equal(one.scores, other.scores)
        assert one.statistics == other.statistics


@pytest.mark.parametrize("kind", ["random", "alike", "far", "raw weights"])
def test_the_median_update_is_the_geometric_median(kind):
    """No step from it lessens the sum of distances by more than a thousandth of the usual one, each."""
    for rows in groups(kind):
        wide = rows.astype(np.float64)
        middle = Seen(Points(rows)).median @ wide
        distances = np.linalg.norm(wide - middle, axis=1)
        best = wide.mean(axis=0)
        for _ in range(5000):
            away = np.maximum(np.linalg.norm(wide - best, axis=1), 1e-9)
            best = (wide / away[:, None]).sum(axis=0) / (1 / away).sum()
        least = np.linalg.norm(wide - best, axis=1).sum()
        assert distances.sum() <= least + 9e-3 * np.median(distances) + 1e-6 * least
