"""What each topology looks like."""

import subprocess
import sys

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coterie import topologies
from coterie.core.errors import ScenarioError
from coterie.topologies.clusters import bridges


def edges(name, nodes, seed=0, **params):
    return topologies.make(name, params, nodes, seed).edges().tolist()


def fault(name, nodes, seed=0, **params):
    with pytest.raises(ScenarioError) as caught:
        topologies.make(name, params, nodes, seed)
    (found,) = caught.value.faults
    return found


def test_fixed_shapes():
    assert edges("full", 3) == [[0, 1], [0, 2], [1, 2]]
    assert edges("star", 4, center=2) == [[0, 2], [1, 2], [2, 3]]
    assert edges("ring", 4) == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert edges("ring", 2) == [[0, 1]]
    assert edges("ring", 1) == edges("isolated", 3) == []
    assert edges("grid", 6) == [[0, 1], [0, 3], [1, 2], [1, 4], [2, 5], [3, 4], [4, 5]]
    assert edges("grid", 6, torus=True) == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 4], [2, 5], [3, 4], [3, 5], [4, 5]]
    assert edges("grid", 5, rows=1) == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert edges("edges", 3, pairs=[[2, 1], [1, 2], [0, 1]]) == [[0, 1], [1, 2]]


def test_clusters_are_consecutive_and_their_first_nodes_are_the_bridges():
    assert bridges(7, 3).tolist() == [0, 3, 5]
    assert edges("clusters", 7, clusters=3) == [[0, 1], [0, 2], [0, 3], [0, 5], [1, 2], [3, 4], [3, 5], [5, 6]]
    graph = topologies.build("clusters", clusters=4, inside="ring", between="ring")(16, 0)
    crossing = {(a, b) for a, b in graph.edges if a // 4 != b // 4}
    assert crossing == {(0, 4), (4, 8), (8, 12), (0, 12)}
    assert all(graph.subgraph(range(4 * c, 4 * c + 4)).number_of_edges() == 4 for c in range(4))


@given(st.integers(2, 30), st.integers(1, 29), st.integers(0, 5))
def test_a_regular_graph_is_connected_and_everybody_has_the_same_degree(nodes, degree, seed):
    possible = degree < nodes and nodes * degree % 2 == 0 and (degree > 1 or nodes == 2)
    if not possible:
        assert fault("regular", nodes, degree=degree).place == "topology.degree"
        return
    graph = topologies.make("regular", {"degree": degree}, nodes, seed)
    assert graph.degrees().tolist() == [degree] * nodes
    assert graph.connected()


@given(st.integers(3, 40), st.integers(1, 6), st.floats(0, 1), st.integers(0, 5))
def test_a_small_world_is_connected_and_keeps_its_number_of_edges(nodes, half, rewiring, seed):
    neighbours = min(half, (nodes - 1) // 2) * 2
    graph = topologies.make("small-world", {"neighbours": neighbours, "rewiring": rewiring}, nodes, seed)
    assert graph.edge_count == nodes * neighbours // 2
    assert graph.connected()


def test_a_small_world_without_rewiring_is_the_ring_lattice():
    expected = nx.watts_strogatz_graph(11, 4, 0)
    assert edges("small-world", 11, rewiring=0.0) == sorted(sorted(edge) for edge in expected.edges)


def test_rewiring_moves_the_expected_share_of_edges_and_keeps_one_end():
    nodes, neighbours = 2000, 6
    lattice = {tuple(edge) for edge in edges("small-world", nodes, neighbours=neighbours, rewiring=0.0)}
    moved = [edge for edge in map(tuple, edges("small-world", nodes, 5, neighbours=neighbours, rewiring=0.3)) if edge not in lattice]
    assert len(moved) / len(lattice) == pytest.approx(0.3, abs=0.03)
    degrees = topologies.make("small-world", {"neighbours": neighbours, "rewiring": 1.0}, nodes, 5).degrees()
    assert degrees.min() >= neighbours // 2 - 1  # each node starts half of its edges; one may go to join two pieces


def test_a_small_world_shortens_paths():
    def mean_hops(rewiring):
        graph = topologies.make("small-world", {"rewiring": rewiring}, 400, 1)
        return np.mean([graph.paths_to(node).hops.mean() for node in range(0, 400, 40)])

    assert mean_hops(0.1) < mean_hops(0.0) / 4


def test_every_pair_of_a_random_graph_is_as_likely():
    nodes, p, times = 12, 0.4, 300
    counts = np.zeros((nodes, nodes))
    for seed in range(times):
        try:
            found = topologies.make("erdos-renyi", {"p": p}, nodes, seed).edges()
        except ScenarioError:
            continue  # rare at this p
        counts[found[:, 0], found[:, 1]] += 1
    frequency = counts[np.triu_indices(nodes, 1)] / times
    assert frequency.mean() == pytest.approx(p, abs=0.02)
    assert np.abs(frequency - p).max() < 0.15  # five standard deviations


def test_a_higher_p_only_adds_edges():
    found = [{tuple(edge) for edge in edges("erdos-renyi", 30, 4, p=p)} for p in (0.3, 0.5, 0.9, 1.0)]
    assert found[0] < found[1] < found[2] < found[3]
    assert len(found[3]) == 30 * 29 // 2


@pytest.mark.parametrize(("nodes", "p"), [(2, 0.0), (16, 0.0), (16, 0.05), (60, 0.02), (500, 0.001)])
@pytest.mark.parametrize("seed", range(3))
def test_a_random_graph_in_pieces_says_the_p_at_which_it_would_not_be(nodes, p, seed):
    found = fault("erdos-renyi", nodes, seed, p=p)
    assert found.place == "topology.p"
    enough = float(found.fix.split()[2])
    assert topologies.make("erdos-renyi", {"p": enough}, nodes, seed).connected()
    with pytest.raises(ScenarioError, match="not connected"):
        topologies.make("erdos-renyi", {"p": enough * 0.98}, nodes, seed)


def test_a_random_graph_is_connected_by_default():
    assert all(topologies.make("erdos-renyi", {}, nodes, 2).connected() for nodes in (1, 2, 3, 10, 300))


@pytest.mark.parametrize("name", ["erdos-renyi", "regular", "small-world"])
def test_a_seed_gives_one_graph(name):
    assert edges(name, 60, 1) == edges(name, 60, 1) != edges(name, 60, 2)


@pytest.mark.parametrize(
    ("name", "nodes", "params", "place", "fix"),
    [
        ("star", 4, {"center": 4}, "topology.center", "from 0 to 3"),
        ("regular", 5, {"degree": 3}, "topology.degree", "write 2 or 4, or an even number of nodes"),
        ("regular", 4, {"degree": 4}, "topology.degree", "at most 3"),
        ("regular", 6, {"degree": 1}, "topology.degree", "2 or more"),
        ("small-world", 10, {"neighbours": 3}, "topology.neighbours", "write 2 or 4"),
        ("small-world", 4, {}, "topology.neighbours", "at most 2"),
        ("small-world", 2, {"neighbours": 2}, "topology.neighbours", "at least 3 nodes"),
        ("clusters", 3, {"clusters": 4}, "topology.clusters", "at most 3"),
        ("grid", 7, {}, "topology", "rows: 1"),
        ("grid", 6, {"rows": 4}, "topology.rows", "divisor"),
        ("edges", 3, {"pairs": [[0, 1], [1, 3]]}, "topology.pairs.1", "from 0 to 2"),
        ("edges", 3, {"pairs": [[0, 1], [2, 2]]}, "topology.pairs.1", "leave this edge out"),
        ("erdos-renyi", 3, {"p": 1.5}, "topology.p", ""),
        ("ring", 3, {"size": 4}, "topology.size", ""),
        ("rnig", 3, {}, "topology", "did you mean 'ring'?"),
    ],
)
def test_what_cannot_be_is_refused_with_the_fix(name, nodes, params, place, fix):
    found = fault(name, nodes, **params)
    assert found.place == place
    assert fix in found.fix


def test_build_checks_at_once_and_gives_networkx_graphs():
    graph = topologies.build("ring")(5, 0)
    assert isinstance(graph, nx.Graph)
    assert nx.utils.graphs_equal(graph, nx.cycle_graph(5))
    with pytest.raises(ScenarioError, match=r"topology\.p"):
        topologies.build("erdos-renyi", p=-1)


def test_a_topology_of_ones_own(monkeypatch):
    monkeypatch.setattr(topologies.TOPOLOGIES, "_entries", dict(topologies.TOPOLOGIES._entries))

    @topologies.topology
    def path(nodes, _draw, *, step: int = 1):
        """A path."""
        return topologies.SparseGraph.of(nodes, np.stack([np.arange(nodes - step), np.arange(step, nodes)], axis=1))

    assert edges("path", 3) == [[0, 1], [1, 2]]
    assert edges("path", 3, step=2) == [[0, 2]]


def test_topologies_import_without_networkx_and_torch():
    code = (
        "import sys, coterie.topologies as t; t.make('regular', {}, 8, 0); print(sorted({'networkx', 'torch', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
