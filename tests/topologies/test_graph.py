"""Every topology gives a graph that keeps the contract of `Graph`, checked against networkx."""

import tracemalloc

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import topologies
from coterie.core.errors import ScenarioError
from coterie.topologies.full import FullGraph
from coterie.topologies.graph import MAX_EDGES, SparseGraph, joined, merged, unused
from coterie.topologies.star import StarGraph

SETTINGS = {"edges": {"pairs": [[0, 1], [4, 2], [1, 2]]}}


def graphs():
    for name in topologies.TOPOLOGIES.names():
        if name != "file":
            yield pytest.param(topologies.make(name, SETTINGS.get(name, {}), 12, 3), id=name)
    yield pytest.param(topologies.make("star", {"center": 5}, 12, 3), id="star around 5")
    for nodes in (1, 2, 3):
        yield pytest.param(FullGraph(nodes), id=f"full {nodes}")
        yield pytest.param(StarGraph(nodes, nodes - 1), id=f"star {nodes}")


@pytest.mark.parametrize("graph", list(graphs()))
def test_all_views_of_a_graph_agree(graph):
    edges = graph.edges()
    assert edges.dtype == np.int64
    assert edges.shape == (graph.edge_count, 2)
    assert (edges[:, 0] < edges[:, 1]).all()
    assert edges.tolist() == sorted(edges.tolist())
    same = nx.Graph()
    same.add_nodes_from(range(graph.nodes))
    same.add_edges_from(edges.tolist())
    assert nx.utils.graphs_equal(graph.to_networkx(), same)
    indptr, indices = graph.csr()
    for node in range(graph.nodes):
        expected = sorted(same[node])
        assert graph.neighbours(node).tolist() == expected
        assert indices[indptr[node] : indptr[node + 1]].tolist() == expected
        assert graph.degree(node) == graph.degrees()[node] == len(expected)
        for other in range(graph.nodes):
            assert graph.has_edge(node, other) == same.has_edge(node, other)
    for piece in nx.connected_components(same):
        assert set(graph.components()[sorted(piece)]) == {min(piece)}
    assert graph.connected() == nx.is_connected(same)


@st.composite
def any_graph(draw):
    nodes = draw(st.integers(1, 12))
    pairs = st.tuples(st.integers(0, nodes - 1), st.integers(0, nodes - 1)).filter(lambda pair: pair[0] != pair[1])
    edges = draw(st.lists(pairs, max_size=20)) if nodes > 1 else []
    return SparseGraph.of(nodes, np.array(edges, np.int64).reshape(-1, 2))


@given(any_graph(), st.data())
def test_paths_are_shortest_and_pass_only_through_the_marked_nodes(graph, data):
    target = data.draw(st.integers(0, graph.nodes - 1))
    through = np.array(data.draw(st.lists(st.booleans(), min_size=graph.nodes, max_size=graph.nodes)))
    paths = graph.paths_to(target, through)
    whole = graph.to_networkx()
    for source in range(graph.nodes):
        allowed = {*np.flatnonzero(through).tolist(), source, target}
        distances = nx.single_source_shortest_path_length(whole.subgraph(allowed), target)
        assert paths.hops[source] == distances.get(source, -1)
        node, steps = source, 0
        while node != target and paths.next_hop[node] >= 0:
            assert graph.has_edge(node, paths.next_hop[node])
            node, steps = int(paths.next_hop[node]), steps + 1
            assert node == target or through[node]
        assert (steps if node == target else -1) == paths.hops[source]


def test_of_two_shortest_paths_the_one_by_the_lowest_id_is_taken():
    square = SparseGraph.of(4, np.array([[0, 1], [0, 2], [1, 3], [2, 3]]))
    assert square.paths_to(3).next_hop.tolist() == [1, 3, 3, 3]


def test_paths_through_a_star_need_its_center():
    star = StarGraph(4, 1)
    nobody = np.zeros(4, bool)
    assert star.paths_to(0).hops.tolist() == [0, 1, 2, 2]
    assert star.paths_to(0, nobody).hops.tolist() == [0, 1, -1, -1]
    assert star.paths_to(1, nobody).hops.tolist() == [1, 0, 1, 1]


@given(any_graph())
def test_a_spanning_forest_joins_what_the_edges_join(graph):
    edges = graph.edges()
    labels, forest = joined(np.arange(graph.nodes), edges)
    assert len(forest) == graph.nodes - len(np.unique(labels))
    assert merged(np.arange(graph.nodes), edges[forest]).tolist() == labels.tolist()


def test_unused_marks_the_first_of_each_new_key():
    assert unused(np.array([5, 3, 5, 9, 3, 1]), np.array([1, 9])).tolist() == [True, True, False, False, False, False]


def test_edges_may_come_twice_and_in_any_order():
    graph = SparseGraph.of(3, np.array([[2, 0], [0, 2], [1, 0]]))
    assert graph.edges().tolist() == [[0, 1], [0, 2]]


@pytest.mark.parametrize("edge", [[1, 1], [0, 3], [-1, 0]])
def test_an_impossible_edge_is_a_bug(edge):
    with pytest.raises(ValueError, match="loop or an id out of range"):
        SparseGraph.of(3, np.array([edge]))


def test_stored_arrays_cannot_be_changed():
    ring = topologies.make("ring", {}, 5, 0)
    with pytest.raises(ValueError, match="read-only"):
        ring.neighbours(0)[0] = 3


@pytest.mark.parametrize("name", ["star", "full"])
def test_a_star_and_a_full_graph_of_millions_store_nothing(name):
    topologies.TOPOLOGIES.names()
    tracemalloc.start()
    graph = topologies.make(name, {}, 5_000_000, 0)
    assert graph.degree(0) == 4_999_999
    assert graph.has_edge(0, 4_999_999)
    assert graph.edge_count >= 4_999_999
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60_000_000  # the neighbours of node 0, once; the edges themselves would take far more


@pytest.mark.parametrize(
    ("name", "params"),
    [("clusters", {}), ("erdos-renyi", {"p": 0.5}), ("regular", {"degree": 1000}), ("small-world", {"neighbours": 1000})],
)
def test_a_graph_that_would_fill_the_memory_is_refused(name, params):
    with pytest.raises(ScenarioError, match=f"more than the {MAX_EDGES:,}"):
        topologies.make(name, params, 1_000_000, 0)
