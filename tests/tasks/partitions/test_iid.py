import numpy as np

from coterie.tasks import partitions


def test_shares_are_equal_and_alike():
    labels = np.repeat([0, 1], [3000, 1000])
    parts = partitions.build("iid")(labels, 7, seed=3)
    assert {len(part) for part in parts} == {571, 572}
    assert all(abs(labels[part].mean() - 0.25) < 0.06 for part in parts)
