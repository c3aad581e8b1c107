import numpy as np
import pytest
from clipped_mean import clipped_mean

from coterie import ScenarioError, aggregation

UPDATES = np.array([[1.0, 0.0], [0.0, 100.0]])


def test_a_long_update_counts_no_more_than_a_short_one():
    np.testing.assert_allclose(clipped_mean(UPDATES, np.array([1, 1]), radius=1.0), [0.5, 0.5])


def test_within_the_radius_it_is_the_weighted_mean():
    rule = aggregation.build("clipped_mean", radius=100.0)
    np.testing.assert_allclose(rule(UPDATES, [3, 1]), [0.75, 25.0])


def test_a_radius_of_zero_is_refused():
    with pytest.raises(ScenarioError, match="radius"):
        aggregation.build("clipped_mean", radius=0)
