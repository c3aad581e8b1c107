"""Where nodes are drawn: what a graph's shape must look like, and that nothing depends on luck."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie.reporting.report.graph import MOST_NODES, excerpt, place


def edges_of(graph: nx.Graph) -> np.ndarray:
    return np.array(sorted(graph.edges), np.int64).reshape(-1, 2)


def lengths(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.linalg.norm(points[edges[:, 0]] - points[edges[:, 1]], axis=1)


@given(st.integers(0, 24), st.floats(0, 1), st.integers(0, 99))
def test_every_graph_fits_and_no_two_nodes_share_a_spot(nodes: int, density: float, seed: int) -> None:
    edges = edges_of(nx.gnp_random_graph(nodes, density, seed=seed))
    points = place(nodes, edges)
    assert points.shape == (nodes, 2)
    assert np.isfinite(points).all()
    assert (points > -1e-9).all()
    assert (points < 1 + 1e-9).all()
    apart = np.linalg.norm(points[:, None] - points, axis=-1) + np.eye(nodes)
    assert (apart > 1e-4).all()
    np.testing.assert_array_equal(points, place(nodes, edges))


@pytest.mark.parametrize("hub", [0, 3, 11])
def test_a_star_has_its_hub_in_the_middle(hub: int) -> None:
    edges = np.array([(min(hub, node), max(hub, node)) for node in range(12) if node != hub])
    points = place(12, edges)
    radii = np.delete(np.linalg.norm(points - points[hub], axis=1), hub)
    np.testing.assert_allclose(radii, radii[0])
    assert radii[0] > 0.45


def test_a_ring_is_round() -> None:
    points = place(20, edges_of(nx.cycle_graph(20)))
    radii = np.linalg.norm(points - points.mean(axis=0), axis=1)
    np.testing.assert_allclose(radii, radii[0], rtol=0.02)


def test_a_path_is_long_and_its_edges_alike() -> None:
    edges = edges_of(nx.path_graph(15))
    found = lengths(place(15, edges), edges)
    assert found.max() / found.min() < 1.5
    points = place(15, edges)
    assert np.linalg.norm(points[0] - points[14]) > 10 * found.mean()


def test_clusters_stand_apart() -> None:
    graph = nx.disjoint_union_all([nx.complete_graph(6)] * 4)
    graph.add_edges_from([(0, 6), (6, 12), (12, 18), (18, 0)])
    points = place(24, edges_of(graph))
    inside = max(
        np.linalg.norm(points[start : start + 6] - points[start : start + 6].mean(axis=0), axis=1).max() for start in (0, 6, 12, 18)
    )
    centres = points.reshape(4, 6, 2).mean(axis=1)
    between = min(np.linalg.norm(centres[a] - centres[b]) for a in range(4) for b in range(a))
    assert between > 2 * inside


def test_a_tree_is_drawn_with_little_stress() -> None:
    graph = nx.balanced_tree(2, 4)
    points = place(31, edges_of(graph))
    steps = np.array([[length[other] for other in range(31)] for _, length in sorted(nx.all_pairs_shortest_path_length(graph))], float)
    pairs = np.triu_indices(31, 1)
    wanted, found = steps[pairs], np.linalg.norm(points[:, None] - points, axis=-1)[pairs]
    best = (found / wanted).sum() / ((found / wanted) ** 2).sum()  # the scale that fits best
    assert ((best * found / wanted - 1) ** 2).mean() < 0.06


def test_an_excerpt_hangs_together_around_the_busiest_node() -> None:
    graph = nx.barabasi_albert_graph(1500, 2, seed=4)
    edges = edges_of(graph)
    kept = excerpt(1500, edges)
    assert len(kept) == MOST_NODES
    assert kept.tolist() == sorted(set(kept.tolist()))
    assert max(graph.nodes, key=graph.degree) in kept
    assert nx.is_connected(graph.subgraph(kept.tolist()))
    assert excerpt(40, edges[edges.max(axis=1) < 40]).tolist() == list(range(40))


def test_an_excerpt_of_scattered_nodes_is_full_all_the_same() -> None:
    assert len(excerpt(1000, np.array([[5, 900]]))) == MOST_NODES
