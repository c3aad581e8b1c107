import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coterie.tasks.moments import Moments
from coterie.tasks.ragged import Ragged


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.integers(0, 99), st.floats(-1e3, 1e3))
def test_combined_moments_are_those_of_the_pooled_values(sizes, seed, centre):
    draw = np.random.default_rng(seed)
    values = (draw.normal(size=(sum(sizes), 3, 2)) + centre).astype(np.float32)
    values[draw.random(values.shape) < 0.2] = np.nan
    values[0] = centre
    own = Moments.of(values, Ragged.contiguous(np.array(sizes)))
    together = own.combined()
    pooled = values.transpose(1, 0, 2).reshape(3, -1).astype(np.float64)
    assert np.array_equal(together.counts[0], (~np.isnan(pooled)).sum(axis=1))
    assert np.allclose(together.means[0], np.nanmean(pooled, axis=1), atol=1e-9, rtol=1e-12)
    assert np.allclose(together.squares[0] / together.counts[0], np.nanvar(pooled, axis=1), atol=1e-7)


def test_each_node_has_its_own():
    own = Moments.of(np.array([[1], [3], [5], [np.nan]], np.float32)[:, :, None], Ragged.contiguous(np.array([2, 1, 1])))
    assert own.counts.ravel().tolist() == [2, 1, 0]
    assert own.means.ravel().tolist() == [2, 5, 0]
    assert own.squares.ravel().tolist() == [2, 0, 0]
    assert own.deviations.ravel().tolist() == [1, 1, 1]
