"""Models on disk: the layout's names, a row a node, whole or not there."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from coterie.core.errors import ScenarioError
from coterie.core.layout import Layout
from coterie.reporting import models

LAYOUT = Layout.of({"layer.weight": (2, 3), "norm.mean": (3,), "layer.bias": (2,), "scale": ()}, buffers=["norm.mean"])
VECTORS = np.arange(5 * LAYOUT.size, dtype=np.float32).reshape(5, LAYOUT.size) ** 1.5


def test_every_node_has_its_row_under_the_names_of_the_layout(tmp_path: Path) -> None:
    path = models.write(tmp_path / "models", LAYOUT, iter(VECTORS), nodes=5)
    tensors = load_file(path)
    for name, view in LAYOUT.views(VECTORS).items():
        np.testing.assert_array_equal(tensors[name], view)
    found = models.read(tmp_path / "models")
    assert found.layout == LAYOUT
    assert found.nodes == 5
    for node in range(5):
        np.testing.assert_array_equal(found.vector(node), VECTORS[node])
    np.testing.assert_allclose(found.vector(), VECTORS.mean(axis=0, dtype=np.float64), rtol=1e-6)
    with pytest.raises(ScenarioError, match="nodes 0 to 4, not 5"):
        found.vector(5)


def test_a_global_model_is_everybodys_and_replaces_rows(tmp_path: Path) -> None:
    models.write(tmp_path / "models", LAYOUT, VECTORS, nodes=5)
    path = models.write(tmp_path / "models", LAYOUT, [VECTORS[2]], nodes=None)
    assert [found.name for found in (tmp_path / "models").iterdir()] == [path.name]
    tensors = load_file(path)
    assert {name: tensor.shape for name, tensor in tensors.items()} == {entry.name: entry.shape for entry in LAYOUT.entries}
    found = models.read(tmp_path / "models")
    assert found.nodes is None
    np.testing.assert_array_equal(found.vector(), VECTORS[2])
    np.testing.assert_array_equal(found.vector(17), VECTORS[2])


@pytest.mark.parametrize("wrong", [VECTORS[:4], [*VECTORS, VECTORS[0]], VECTORS[:, :-1]])
def test_the_wrong_rows_leave_no_file(tmp_path: Path, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"rows|shape"):
        models.write(tmp_path / "models", LAYOUT, wrong, nodes=5)
    with pytest.raises(ScenarioError, match="no models"):
        models.read(tmp_path / "models")


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    path = models.write(tmp_path, LAYOUT, VECTORS, nodes=5)
    whole = path.read_bytes()
    for damage in (b"", whole[:40], b"\xff" * 8 + whole[8:], whole[:-4]):
        path.write_bytes(damage)
        with pytest.raises(ScenarioError, match=r"models\.safetensors: is not a file of models"):
            models.read(tmp_path)
    save_file({"w": np.zeros(3, np.float32)}, path)
    with pytest.raises(ScenarioError, match="says nothing of a layout"):
        models.read(tmp_path)
    save_file({"w": np.zeros(3, np.float32)}, path, metadata={"layout": '[["other", [3], true]]', "nodes": ""})
    with pytest.raises(ScenarioError, match="other tensors than its layout"):
        models.read(tmp_path)
