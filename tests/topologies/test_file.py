"""Graphs from files: what is a graph is read, what is not is refused with its place."""

import io

import numpy as np
import pytest

from coterie import topologies
from coterie.core.errors import ScenarioError

SQUARE = [[0, 1], [0, 3], [1, 2], [2, 3]]
MATRIX = np.array([[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]])


def written(path, content):
    if isinstance(content, np.ndarray):
        np.save(path, content)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path.name


def read(folder, text, name="graph.txt", nodes=4, **params):
    return topologies.make("file", {"path": written(folder / name, text), **params}, nodes, 0, str(folder))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("graph.txt", "# a square\n0 1\n\n1 2  # here\n3,2\n0;3\n"),
        ("graph.csv", "0,1\n1,2\n2,3\n3,0\n"),
        ("graph.csv", "\n".join(",".join(map(str, row)) for row in MATRIX)),
        ("graph.npy", MATRIX),
        ("graph.npy", MATRIX.astype(bool)),
        ("graph.npy", np.array(SQUARE, np.uint64)),
    ],
)
def test_edges_and_matrices_are_read(tmp_path, name, content):
    assert read(tmp_path, content, name).edges().tolist() == SQUARE


def test_two_columns_may_be_a_matrix_when_it_says_so(tmp_path):
    assert read(tmp_path, "0 0\n0 0\n", nodes=2, content="adjacency").edge_count == 0
    with pytest.raises(ScenarioError, match="joined to itself"):
        read(tmp_path, "0 0\n0 0\n", nodes=2)


def saved(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "params", "problem"),
    [
        ("a.txt", "", {}, "holds no numbers"),
        ("a.txt", "0 1\n0 x\n", {}, r"a.txt:2\): 'x' is not a whole number"),
        ("a.txt", "0 1\n-1 2\n", {}, "'-1' is not a whole number"),
        ("a.txt", "0 1\n0 ²\n", {}, "'²' is not a whole number"),
        ("a.txt", f"0 1\n0 {10**400}\n", {}, "is not a whole number"),
        ("a.txt", "0 1\n0 1 2\n", {}, r"a.txt:2\): has 3 numbers, the lines before 2"),
        ("a.txt", "0 1\n0 4\n", {}, r"edge 2\): the edge 0 - 4 names a node"),
        ("a.txt", "0 1\n2 2\n", {}, "node 2 is joined to itself"),
        ("a.txt", "0 1 2\n", {}, "the matrix is 1 by 3 for 4 nodes"),
        ("a.txt", "0 1 2\n", {"content": "edges"}, "has 3 columns"),
        ("a.txt", b"\xff\xfe\x00", {}, "is not text"),
        ("a.npy", b"not an array", {}, "is not a NumPy array"),
        ("a.npy", saved(np.array([{"a": 1}], dtype=object)), {}, "is not a NumPy array"),
        ("a.npy", saved(np.zeros((2, 2)))[:-4], {}, "is not a NumPy array"),
        ("a.npy", np.zeros((4, 4)), {}, "holds float64"),
        ("a.npy", np.zeros(4, int), {}, "of shape"),
        ("a.npy", np.array([[0, 2**64 - 1]], np.uint64), {}, "names a node that is not there"),
        ("a.npy", MATRIX * 2, {}, "numbers other than 0 and 1"),
        ("a.npy", MATRIX + np.eye(4, dtype=int), {}, "joins a node to itself"),
        ("a.npy", np.triu(MATRIX), {}, r"row 0, column 1\): the matrix is not symmetric"),
        ("a.npy", np.zeros((3, 3), int), {}, "the matrix is 3 by 3 for 4 nodes"),
    ],
)
def test_what_is_no_graph_is_refused(tmp_path, name, content, params, problem):
    with pytest.raises(ScenarioError, match=problem) as caught:
        read(tmp_path, content, name, **params)
    assert all(fault.place.startswith("topology.path") and fault.fix for fault in caught.value.faults)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ScenarioError, match="there is no file"):
        topologies.make("file", {"path": "none.txt"}, 4, 0, str(tmp_path))
    with pytest.raises(ScenarioError, match="there is no file"):
        topologies.make("file", {"path": str(tmp_path)}, 4, 0)


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("coterie.topologies.file.MAX_BYTES", 3)
    with pytest.raises(ScenarioError, match="is larger than"):
        read(tmp_path, "0 1\n")


def test_a_claimed_shape_does_not_fill_the_memory(tmp_path):
    header = saved(np.zeros((2, 2), np.int64)).replace(b"(2, 2)", b"(9999999999, 2)")
    with pytest.raises(ScenarioError, match="is not a NumPy array"):
        read(tmp_path, header, "a.npy")
