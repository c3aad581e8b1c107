import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.tasks.ragged import Ragged


def test_of_lists_what_each_node_owns_and_leaves_out_the_unowned():
    ragged = Ragged.of(np.array([2, 0, -1, 2, 0]), 3)
    assert [part.tolist() for part in ragged] == [[1, 4], [], [0, 3]]
    assert ragged.sizes.tolist() == [2, 0, 2]
    assert ragged.owners.tolist() == [0, 0, 2, 2]


@given(st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=6))
def test_lists_come_back_as_they_were(lists):
    assert [part.tolist() for part in Ragged.from_lists(lists)] == lists


def test_contiguous_runs_and_views():
    ragged = Ragged.contiguous(np.array([2, 3]), start=10)
    assert [part.tolist() for part in ragged] == [[10, 11], [12, 13, 14]]
    assert ragged[1].base is ragged.indices
    with pytest.raises(IndexError, match="no node 2"):
        ragged[2]
