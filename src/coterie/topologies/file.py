"""A graph read from a file: a list of edges or an adjacency matrix, as text or as a NumPy array."""

from array import array
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.topologies import topology
from coterie.topologies.edges import refuse_faulty
from coterie.topologies.graph import Graph, Ids, SparseGraph

PLACE = "topology.path"
MAX_BYTES = 512 * 2**20


@topology("file")
def file(
    nodes: int, _draw: np.random.Generator, *, folder: str | None, path: str, content: Literal["edges", "adjacency"] | None = None
) -> Graph:
    """The graph in the file at `path`: `.npy`, or text with commas or blanks between numbers and # before remarks.

    content: `edges` (two ids a line) or `adjacency` (a symmetric matrix of 0 and 1); by default two columns are edges.
    """
    where = Path(folder or ".") / Path(path).expanduser()
    table = _array(where) if where.suffix == ".npy" else _text(where)
    if (content or ("edges" if table.shape[1] == 2 else "adjacency")) == "adjacency":
        return SparseGraph.of(nodes, _of_matrix(nodes, table))
    if table.shape[1] != 2:
        raise ScenarioError.at(PLACE, f"{where.name} has {table.shape[1]} columns", "a list of edges has two; or write content: adjacency")
    refuse_faulty(nodes, table, [f"{PLACE} (edge {number + 1})" for number in range(len(table))])
    return SparseGraph.of(nodes, table)


def _readable(path: Path) -> Path:
    if not path.is_file():
        raise ScenarioError.at(PLACE, f"there is no file {path}", "write the path of an existing file, relative to the scenario's folder")
    if path.stat().st_size > MAX_BYTES:
        raise ScenarioError.at(PLACE, f"{path.name} is larger than {MAX_BYTES // 2**20} MB", "give a list of edges instead of a matrix")
    return path


def _array(path: Path) -> NDArray[np.int64]:
    try:
        table: NDArray[Any] = np.load(_readable(path), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError):
        raise ScenarioError.at(PLACE, f"{path.name} is not a NumPy array of numbers", "write it with numpy.save") from None
    if table.ndim != 2 or table.dtype.kind not in "biu":
        raise ScenarioError.at(
            PLACE, f"{path.name} holds {table.dtype} of shape {table.shape}", "it must hold a two-dimensional array of whole numbers"
        )
    return table.astype(np.int64)


def _text(path: Path) -> NDArray[np.int64]:
    cells, width = array("q"), 0
    try:
        with _readable(path).open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                words = line.partition("#")[0].replace(",", " ").replace(";", " ").split()
                place = f"{PLACE} ({path.name}:{number})"
                if words and len(words) != (width := width or len(words)):
                    raise ScenarioError.at(place, f"has {len(words)} numbers, the lines before {width}", "give every line as many")
                cells.extend(_numbers(words, place))
    except UnicodeDecodeError:
        raise ScenarioError.at(PLACE, f"{path.name} is not text", "give UTF-8 text or a .npy file") from None
    if not cells:
        raise ScenarioError.at(PLACE, f"{path.name} holds no numbers", "write one edge a line, such as 0 1")
    return np.frombuffer(cells, np.int64).reshape(-1, width)


def _numbers(words: list[str], place: str) -> list[int]:
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 19):
            raise ScenarioError.at(place, f"{word[:40]!r} is not a whole number from 0", "write ids, or 0 and 1 in a matrix")
    return [int(word) for word in words]


def _of_matrix(nodes: int, table: NDArray[np.int64]) -> Ids:
    if table.shape != (nodes, nodes):
        raise ScenarioError.at(
            PLACE, f"the matrix is {table.shape[0]} by {table.shape[1]} for {nodes} nodes", f"it must be {nodes} by {nodes}"
        )
    for wrong, problem, fix in (
        (~np.isin(table, (0, 1)), "holds numbers other than 0 and 1", "write 1 where there is an edge, else 0"),
        (np.eye(nodes, dtype=bool) & (table != 0), "joins a node to itself", "the diagonal is 0"),
        (table != table.T, "is not symmetric", "edges have no direction: write both entries"),
    ):
        if wrong.any():
            row, column = np.argwhere(wrong)[0].tolist()
            raise ScenarioError.at(f"{PLACE} (row {row}, column {column})", f"the matrix {problem}", fix)
    return np.argwhere(np.triu(table, 1))
