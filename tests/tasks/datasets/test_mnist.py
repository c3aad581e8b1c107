import gzip
import hashlib
import struct

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import datasets
from coterie.tasks.datasets import fashion_mnist, mnist
from coterie.tasks.files.grey_images import PARTS
from coterie.tasks.task import build


def arrays(train=40, test=10):
    draw = np.random.default_rng(0)
    return {
        "x_train": draw.integers(0, 256, (train, 28, 28), np.uint8),
        "y_train": (np.arange(train) % 10).astype(np.uint8),
        "x_test": draw.integers(0, 256, (test, 28, 28), np.uint8),
        "y_test": (np.arange(test) % 10).astype(np.uint8),
    }


def write_idx(folder, found, packed):
    for name, array in zip(PARTS, found.values(), strict=True):
        content = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
        (folder / (name + ".gz" if packed else name)).write_bytes(gzip.compress(content, mtime=0) if packed else content)


def same(data, found):
    assert np.array_equal(data.inputs[:, 0], found["x_train"])
    assert np.array_equal(data.targets, found["y_train"])
    assert np.array_equal(data.test_inputs[:, 0], found["x_test"])
    assert np.array_equal(data.test_targets, found["y_test"])


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_folder_of_idx_files_or_an_archive(tmp_path, name):
    found = arrays()
    for kind in ("plain", "packed"):
        (tmp_path / kind).mkdir()
        write_idx(tmp_path / kind, found, kind == "packed")
        same(datasets.load({"name": name, "path": kind}, folder=str(tmp_path)), found)
    np.savez_compressed(tmp_path / "all.npz", **found)
    same(datasets.load({"name": name, "path": str(tmp_path / "all.npz")}), found)


@pytest.mark.parametrize(("name", "module"), [("mnist", mnist), ("fashion-mnist", fashion_mnist)])
def test_the_download_is_checked_and_cached(server, cache, monkeypatch, name, module):
    folder, address, asked = server
    write_idx(folder, arrays(), packed=True)
    with pytest.raises(ScenarioError, match=r"train-images-idx3-ubyte\.gz cannot be had"):
        datasets.load({"name": name, "mirror": address})
    sums = {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in module.CHECKSUMS}
    monkeypatch.setattr(module, "CHECKSUMS", sums)
    asked.clear()
    for _ in range(2):
        same(datasets.load({"name": name, "mirror": address}), arrays())
    assert len(asked) == 4


def test_the_official_test_set_is_the_common_one_and_pixels_are_scaled(tmp_path):
    found = arrays()
    np.savez(tmp_path / "all.npz", **found)
    task = build(dataset={"name": "mnist", "path": str(tmp_path / "all.npz")}, nodes=3)
    assert np.array_equal(task.common_inputs[:, 0], found["x_test"].astype(np.float32) * np.float32(1 / 255))
    assert np.array_equal(task.common_targets, found["y_test"])
    assert (task.features, task.outputs) == ((1, 28, 28), 10)
    assert task.dataset_bytes == task.train.sizes.sum() * 785
    assert task.inputs.max() == pytest.approx(found["x_train"].max() / 255)


def test_the_first_images_only(tmp_path):
    np.savez(tmp_path / "all.npz", **arrays())
    data = datasets.load({"name": "mnist", "path": str(tmp_path / "all.npz"), "limit": 20})
    assert (len(data.inputs), len(data.test_inputs)) == (20, 5)
    assert len(datasets.load({"name": "mnist", "path": str(tmp_path / "all.npz"), "limit": 2000}).inputs) == 40


def test_what_is_wrong_is_said(tmp_path):
    def refused(said):
        with pytest.raises(ScenarioError, match=said) as caught:
            datasets.load({"name": "mnist", "path": str(tmp_path / "there")})
        assert caught.value.faults[0].place == "path"

    refused("no file or folder")
    (tmp_path / "there").mkdir()
    write_idx(tmp_path / "there", arrays(), packed=False)
    (tmp_path / "there" / PARTS[3]).unlink()
    refused("lacks t10k-labels-idx1-ubyte")
    (tmp_path / "there" / PARTS[3]).write_bytes((tmp_path / "there" / PARTS[2]).read_bytes())
    refused("begins with 00 00 08 03")
    write_idx(tmp_path / "there", arrays() | {"y_train": np.zeros(39, np.uint8)}, packed=False)
    refused(r"the training images are uint8 \(40, 28, 28\) with labels \(39,\)")


def test_debians_package(real):
    if not fashion_mnist.DEBIAN.is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    installed = datasets.load("fashion-mnist")
    archive = datasets.load({"name": "fashion-mnist", "path": real("fashion_mnist.npz")})
    for part in ("inputs", "targets", "test_inputs", "test_targets"):
        assert np.array_equal(getattr(installed, part), getattr(archive, part))


def test_the_real_images(real):
    task = build(dataset={"name": "mnist", "path": real("mnist.npz")}, partition="shards", nodes=100, seed=1)
    assert len(task.inputs) == 60_000
    assert len(task.common_inputs) == 10_000
    assert np.bincount(task.common_targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert set(task.train.sizes.tolist()) == {480}
