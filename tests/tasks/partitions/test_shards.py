from itertools import pairwise

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import partitions


def test_two_shards_of_sorted_labels_for_each_node_as_in_the_fedavg_paper():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(10), 600))
    parts = partitions.build("shards")(labels, 100, seed=1)
    assert {len(part) for part in parts} == {60}
    assert max(len(np.unique(labels[part])) for part in parts) <= 4
    assert np.mean([len(np.unique(labels[part])) for part in parts]) < 2.2


def test_each_shard_is_a_run_of_the_sorted_values():
    values = np.random.default_rng(0).normal(size=120)
    parts = partitions.build("shards", per_node=1)(values, 6)
    runs = sorted((values[part].min(), values[part].max()) for part in parts)
    assert all(low[1] < high[0] for low, high in pairwise(runs))


def test_more_shards_than_samples_are_refused():
    with pytest.raises(ScenarioError, match="cannot be cut into 40 shards") as caught:
        partitions.build("shards", per_node=10)(np.arange(20) % 2, 4)
    assert "at most 5 per node" in caught.value.faults[0].fix
