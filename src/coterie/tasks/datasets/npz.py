"""The user's own NumPy archives."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Column, Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files.locations import Paths, files, stems
from coterie.tasks.files.npz import Archive
from coterie.tasks.targets import Kind

USUAL = (
    ("x_train", "y_train", "x_test", "y_test"),
    ("x_train", "y_train"),
    ("x", "y"),
    ("X", "y"),
    ("inputs", "targets"),
    ("data", "target"),
)
"""What arrays are called when nobody says: features, target, and those of the test set."""


@dataset("npz")
def npz(
    *,
    folder: str | None,
    path: Paths,
    features: Paths | None = None,
    target: str | None = None,
    test_features: Paths | None = None,
    test_target: str | None = None,
    node: str | None = None,
    columns: Paths | None = None,
    classes: str | None = None,
    kind: Kind | None = None,
    vocabulary: Count | None = None,
) -> Dataset:
    """Arrays of .npz files: one file, or one for each node.

    path: a file, a folder, a pattern or a list. features, target, test_features, test_target, node (whose each sample is),
    columns and classes (names of features and classes) name arrays in it; several arrays of features are put side by side.
    Without names x_train and y_train (x_test, y_test) or x and y are taken. vocabulary: features are tokens below it.
    """
    archives = [Archive(file) for file in files(path, (".npz",), folder=folder)]
    roles = _roles(archives[0], features, target, test_features, test_target)
    read = [_features(archive, roles[0], "features") for archive in archives]
    answers = [archive.read(roles[1], "target") for archive in archives]
    test = None
    if roles[2] and roles[3]:
        tests = [(_features(archive, roles[2], "test_features"), archive.read(roles[3], "test_target")) for archive in archives]
        test = (_joined([part for part, _ in tests], archives), _joined([part for _, part in tests], archives))
    return Dataset.of(
        "npz",
        _joined(read, archives),
        _joined(answers, archives),
        test=test,
        node=_nodes(archives, node, [len(part) for part in read]),
        kind=kind,
        classes=() if classes is None else tuple(map(str, archives[0].read(classes, "classes"))),
        columns=_columns(archives[0], columns, read[0].shape),
        vocabulary=vocabulary,
    )


def _tuple(names: Paths | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()


def _roles(
    archive: Archive, features: Paths | None, target: str | None, test_features: Paths | None, test_target: str | None
) -> tuple[tuple[str, ...], str, tuple[str, ...], str]:
    """The names of the arrays of features, of the target, and of the test set's."""
    if (test_features is None) != (test_target is None):
        raise ScenarioError.at("test_features", "a test set needs features and a target", "name both, or neither")
    if features is not None and target is not None:
        return _tuple(features), target, _tuple(test_features), test_target or ""
    for usual in USUAL:
        if features is None and target is None and archive.has(usual):
            x, y, *rest = usual
            found = rest if test_target is None else []
            return (x,), y, _tuple(test_features) or tuple(found[:1]), test_target or "".join(found[1:])
    missing = " and ".join(name for name, value in (("features", features), ("target", target)) if value is None)
    raise ScenarioError.at(
        missing.partition(" ")[0],
        f"{archive.path} holds {', '.join(archive.names) or 'nothing'}: which are they?",
        f"name the arrays: {missing}",
    )


def _features(archive: Archive, names: tuple[str, ...], place: str) -> NDArray[Any]:
    """One array as it is, a flat one as a single column; several side by side."""
    found = [archive.read(name, place) for name in names]
    found = [part[:, None] if part.ndim == 1 else part for part in found]
    if len(found) == 1:
        return found[0]
    try:
        return np.concatenate(found, axis=1)
    except ValueError as error:
        shapes = ", ".join(f"{name} {part.shape}" for name, part in zip(names, found, strict=True))
        raise ScenarioError.at(
            place, f"these arrays cannot be put side by side: {shapes}", "name arrays with as many samples each"
        ) from error


def _joined(parts: list[NDArray[Any]], archives: list[Archive]) -> NDArray[Any]:
    if len(parts) == 1:
        return parts[0]
    for part, archive in zip(parts, archives, strict=True):
        if part.shape[1:] != parts[0].shape[1:]:
            raise ScenarioError.at(
                "path",
                f"{archive.path} has samples of the shape {part.shape[1:]}, {archives[0].path} of {parts[0].shape[1:]}",
                "give all the same shape",
            )
    return np.concatenate(parts)


def _nodes(archives: list[Archive], node: str | None, sizes: list[int]) -> NDArray[Any] | None:
    if node is not None:
        return np.concatenate([archive.read(node, "node") for archive in archives])
    paths: list[Path] = [archive.path for archive in archives]
    return np.repeat(stems(paths), sizes) if len(paths) > 1 else None


def _columns(archive: Archive, names: Paths | None, shape: tuple[int, ...]) -> tuple[Column, ...]:
    if names is None:
        return ()
    found = [str(name) for part in _tuple(names) for name in archive.read(part, "columns").ravel()]
    if shape[1:] != (len(found),):
        raise ScenarioError.at(
            "columns", f"there are {len(found)} names for samples of the shape {shape[1:]}", "give a name for each feature"
        )
    return tuple(map(Column, found))
