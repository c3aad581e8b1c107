"""Models on disk: safetensors files whose tensors bear the names of the `Layout`.

One global model has each tensor in its own shape; models of n nodes have n in front of it, row i being node i's. The file
is written row by row through a memory map, so a federation's models need not fit in memory.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coterie.core.errors import ScenarioError
from coterie.core.layout import Layout

ROWS, GLOBAL = "models.safetensors", "global.safetensors"


def write(folder: Path, layout: Layout, vectors: Iterable[npt.NDArray[np.float32]], nodes: int | None) -> Path:
    """Writes `models.safetensors` with `nodes` rows, or `global.safetensors` where `nodes` is None; returns its path.

    vectors: one flat float32 vector (layout.size,) a node in node order, or the single one. The file appears whole or not at
    all, and replaces one of the other kind.
    """
    folder.mkdir(exist_ok=True)
    target, other = (folder / ROWS, folder / GLOBAL) if nodes is not None else (folder / GLOBAL, folder / ROWS)
    partial = target.with_suffix(".partial")
    rows = 1 if nodes is None else nodes
    header, begins = _header(layout, nodes)
    with partial.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 4 * rows * layout.size)
    if rows * layout.size:
        flat = np.memmap(partial, dtype="<f4", mode="r+", offset=len(header))
        written = 0
        for written, vector in enumerate(vectors, 1):
            if vector.shape != (layout.size,) or written > rows:
                raise ValueError(f"row {written} of {rows} has shape {vector.shape}, wanted ({layout.size},)")
            for entry, begin in zip(layout.entries, begins, strict=True):
                size = entry.stop - entry.start
                flat[begin + (written - 1) * size : begin + written * size] = vector[entry.start : entry.stop]
        if written != rows:
            raise ValueError(f"got {written} vectors for {rows} rows")
        flat.flush()
        del flat
    os.replace(partial, target)  # noqa: PTH105 - the same for a str or a Path
    other.unlink(missing_ok=True)
    return target


def _header(layout: Layout, nodes: int | None) -> tuple[bytes, list[int]]:
    """The head of a safetensors file (8 bytes of length, then JSON), and where each tensor begins, in numbers."""
    lead = () if nodes is None else (nodes,)
    rows = 1 if nodes is None else nodes
    kept = [[entry.name, list(entry.shape), entry.trainable] for entry in layout.entries]
    tensors: dict[str, Any] = {"__metadata__": {"format": "pt", "layout": json.dumps(kept), "nodes": "" if nodes is None else str(nodes)}}
    begins, begin = [], 0
    for entry in layout.entries:
        end = begin + rows * (entry.stop - entry.start)
        tensors[entry.name] = {"dtype": "F32", "shape": [*lead, *entry.shape], "data_offsets": [4 * begin, 4 * end]}
        begins.append(begin)
        begin = end
    text = json.dumps(tensors, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, begins


@dataclass(frozen=True)
class Models:
    """The models in a run's folder, read from disk as they are asked for.

    nodes: how many rows there are, or None for one global model.
    """

    path: Path
    layout: Layout
    nodes: int | None

    def vector(self, node: int | None = None) -> npt.NDArray[np.float32]:
        """One model as a flat vector (layout.size,).

        Where every node has its own, `node` chooses; None gives their plain average. A global model is everybody's.
        Raises ScenarioError for a node that is not there.
        """
        if node is not None and self.nodes is not None and not 0 <= node < self.nodes:
            raise ScenarioError.at("node", f"the run has nodes 0 to {self.nodes - 1}, not {node}", "choose one of these")
        out = np.empty(self.layout.size, np.float32)
        with _opened(self.path) as file:
            for entry in self.layout.entries:
                if self.nodes is None:
                    found = file.get_tensor(entry.name)
                elif node is not None:
                    found = file.get_slice(entry.name)[node]
                else:
                    found = _average(file.get_slice(entry.name), self.nodes, entry.stop - entry.start)
                out[entry.start : entry.stop] = np.asarray(found).ravel()
        return out


def _average(tensor: Any, nodes: int, size: int) -> npt.NDArray[np.float64]:
    """The mean over the first axis of a tensor on disk, some megabytes at a time."""
    step = max(1, (1 << 24) // max(size, 1))
    total = np.zeros(size)
    for start in range(0, nodes, step):
        total += tensor[start : min(start + step, nodes)].reshape(-1, size).sum(axis=0, dtype=np.float64)
    return total / nodes


def read(folder: Path) -> Models:
    """The models under `folder`; raises ScenarioError where there are none or the file is damaged."""
    for path in (folder / ROWS, folder / GLOBAL):
        if path.exists():
            with _opened(path) as file:
                about = file.metadata() or {}
                names = set(file.keys())
            try:
                kept = json.loads(about["layout"])
                layout = Layout.of(
                    {str(name): tuple(map(int, shape)) for name, shape, _ in kept}, [str(name) for name, _, trains in kept if not trains]
                )
                nodes = int(about["nodes"]) if about["nodes"] else None
            except (KeyError, ValueError, TypeError):
                raise _foreign(path, "says nothing of a layout") from None
            if {entry.name for entry in layout.entries} != names:
                raise _foreign(path, "has other tensors than its layout")
            return Models(path, layout, nodes)
    raise ScenarioError.at(str(folder), "there are no models here", "the run may not have finished; `coterie resume` goes on with it")


def _opened(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise _foreign(path, str(error)) from None


def _foreign(path: Path, why: str) -> ScenarioError:
    return ScenarioError.at(str(path), f"is not a file of models that Coterie wrote ({why})", "restore it from a copy, or run again")
