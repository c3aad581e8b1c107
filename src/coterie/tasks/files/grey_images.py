"""MNIST and its kin: 28 by 28 grey images in four idx files, or the same arrays in one .npz."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Dataset
from coterie.tasks.files import idx
from coterie.tasks.files.npz import Archive

PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def from_path(where: Path) -> list[NDArray[Any]]:
    """Train images and labels, test images and labels, from an .npz or a folder of idx files, plain or .gz.

    Raises:
        ScenarioError: they are not there.
    """
    if where.is_file():
        archive = Archive(where)
        return [archive[name] for name in ARRAYS]
    if not where.is_dir():
        raise ScenarioError.at(
            "path", f"there is no file or folder {where}", "give a folder with the four idx files, or an .npz with their arrays"
        )
    return from_files({file.name: file for file in where.iterdir()}, str(where))


def from_files(found: Mapping[str, Path], where: str) -> list[NDArray[Any]]:
    """The same four arrays from files by their names; `where` they were looked for."""
    missing = [name for name in PARTS if name not in found and f"{name}.gz" not in found]
    if missing:
        raise ScenarioError.at(
            "path", f"{where} lacks {', '.join(missing)} (or the same with .gz)", "give the folder that holds all four files"
        )
    return [idx.read(found.get(name) or found[f"{name}.gz"], axes=3 if "idx3" in name else 1) for name in PARTS]


def dataset(name: str, arrays: list[NDArray[Any]], classes: tuple[str, ...], limit: int | None) -> Dataset:
    """The data set of four arrays: images scaled to 0…1, shaped (1, 28, 28); the first `limit` for training, tests in proportion."""
    images, labels, test_images, test_labels = arrays
    for what, pixels, answers in (("training", images, labels), ("test", test_images, test_labels)):
        if pixels.dtype != np.uint8 or pixels.shape[1:] != (28, 28) or answers.shape != (len(pixels),):
            raise ScenarioError.at(
                "path",
                f"the {what} images are {pixels.dtype} {pixels.shape} with labels {answers.shape}",
                "give the original arrays: uint8 (n, 28, 28) with labels (n,)",
            )
    if limit is not None and limit < len(images):
        tests = max(1, len(test_images) * limit // len(images))
        images, labels, test_images, test_labels = images[:limit], labels[:limit], test_images[:tests], test_labels[:tests]
    return Dataset(
        name=name,
        inputs=images[:, None],
        targets=labels,
        test_inputs=test_images[:, None],
        test_targets=test_labels,
        classes=classes,
        scale=1 / 255,
    )
