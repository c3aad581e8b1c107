"""Names inside a flat vector."""

import numpy as np
import torch

from coterie.core.layout import Layout

SHAPES = {"a.weight": (2, 3), "a.mean": (3,), "b": (), "c": (4,)}


def test_entries_lie_end_to_end_with_buffers_last():
    layout = Layout.of(SHAPES, buffers=["a.mean"])
    assert [entry.name for entry in layout.entries] == ["a.weight", "b", "c", "a.mean"]
    assert (layout.size, layout.trainable) == (14, 11)
    assert [entry.start for entry in layout.entries[1:]] == [entry.stop for entry in layout.entries[:-1]]


def test_views_share_memory_in_both_libraries_and_with_leading_axes():
    layout = Layout.of(SHAPES)
    vector = np.zeros(14, np.float32)
    layout.views(vector)["a.weight"][1, 2] = 5
    assert vector[5] == 5
    rows = torch.zeros(3, 14)
    layout.views(rows)["c"][2] += 1
    assert rows[2, -4:].tolist() == [1, 1, 1, 1]
    assert layout.views(rows)["b"].shape == (3,)


def test_an_empty_layout():
    assert (Layout.of({}).size, Layout.of({}).trainable) == (0, 0)
