import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.aggregation import MIXING, Neighbourhoods, mixing
from coterie.aggregation.mixing import build, of_node
from coterie.core.errors import ScenarioError


def whole_graph(edges, nodes, sizes):
    neighbours = [sorted({b for a, b in edges if a == node} | {a for a, b in edges if b == node}) for node in range(nodes)]
    counts = np.array([len(of) for of in neighbours])
    indices = np.array([other for of in neighbours for other in of], dtype=np.int64)
    return Neighbourhoods(np.arange(nodes), np.concatenate([[0], counts.cumsum()]), indices, counts, np.asarray(sizes))


def matrix(name, at):
    own, others = build(name)(at)
    nodes = len(at.degrees)
    found = np.zeros((nodes, nodes))
    found[at.rows, at.rows] = own
    found[at.spread(at.rows), at.indices] = others
    return found


PATH = whole_graph([(0, 1), (1, 2)], 3, [10, 20, 30])


def test_uniform_by_hand():
    assert matrix("uniform", PATH).tolist() == [[0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [0, 0.5, 0.5]]


def test_samples_by_hand():
    np.testing.assert_allclose(matrix("samples", PATH), [[1 / 3, 2 / 3, 0], [1 / 6, 2 / 6, 3 / 6], [0, 0.4, 0.6]])


def test_metropolis_hastings_by_hand():
    np.testing.assert_allclose(matrix("metropolis-hastings", PATH), [[2 / 3, 1 / 3, 0], [1 / 3, 1 / 3, 1 / 3], [0, 1 / 3, 2 / 3]])


graphs = st.integers(1, 8).flatmap(
    lambda nodes: st.tuples(
        st.sets(st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)).filter(lambda e: e[0] < e[1])),
        st.just(nodes),
        st.lists(st.integers(1, 50), min_size=nodes, max_size=nodes),
    )
)


@pytest.mark.parametrize("name", MIXING.names())
@given(graphs)
def test_rows_sum_to_one_and_nothing_is_negative(name, graph):
    found = matrix(name, whole_graph(*graph))
    np.testing.assert_allclose(found.sum(1), 1)
    assert (found >= -1e-12).all()


@given(graphs)
def test_metropolis_hastings_keeps_the_average(graph):
    found = matrix("metropolis-hastings", whole_graph(*graph))
    np.testing.assert_allclose(found, found.T)


@pytest.mark.parametrize("name", MIXING.names())
@given(graphs)
def test_one_node_alone_gets_the_weights_of_all_at_once(name, graph):
    at = whole_graph(*graph)
    own, others = build(name)(at)
    for node in range(len(own)):
        part = slice(at.indptr[node], at.indptr[node + 1])
        alone = of_node(build(name), node, at.indices[part], at.degrees, at.sizes)
        np.testing.assert_allclose(alone, [own[node], *others[part]])


def test_a_missing_neighbour():
    degrees, sizes = np.array([2, 1, 1]), np.array([10, 20, 30])
    assert of_node(build("uniform"), 0, np.array([2]), degrees, sizes) == (0.5, 0.5)
    assert of_node(build("samples"), 0, np.array([2]), degrees, sizes) == (0.25, 0.75)
    np.testing.assert_allclose(of_node(build("metropolis-hastings"), 0, np.array([2]), degrees, sizes), (2 / 3, 1 / 3))
    assert of_node(build("uniform"), 0, np.array([], dtype=int), degrees, sizes) == (1.0,)


def test_unknown_mixing():
    with pytest.raises(ScenarioError, match="metropolis-hastings"):
        build("metropolis")


def test_a_mixing_of_ones_own(monkeypatch):
    monkeypatch.setattr(MIXING, "_entries", dict(MIXING._entries))

    @mixing("stubborn")
    def stubborn(at, *, keep: float = 0.9):
        return np.full(len(at.rows), keep), at.spread((1 - keep) / at.counts)

    own, others = build("stubborn", keep=0.5)(PATH)
    assert own.tolist() == [0.5] * 3
    assert others.tolist() == [0.5, 0.25, 0.25, 0.5]
