"""The user's own NumPy archives."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coterie.core.bounds import Count
from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Column, Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files.locations import Paths, files, stems
from coterie.tasks.files.mapped import Mapped
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


MAPPED_BYTES = 1 << 30
"""From so many bytes on, features are left in their file, if they can be (`memory_map: auto`)."""

MemoryMap = bool | Literal["auto"]


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
    memory_map: MemoryMap = "auto",
) -> Dataset:
    """Arrays of .npz files: one file, or one for each node.

    path: a file, a folder, a pattern or a list. features, target, test_features, test_target, node (whose each sample is),
    columns and classes (names of features and classes) name arrays in it; several arrays of features are put side by side.
    Without names x_train and y_train (x_test, y_test) or x and y are taken. vocabulary: features are tokens below it.
    memory_map: leave the features in their file and read samples as they are needed (one array, saved uncompressed); auto:
    from 1 GiB on.
    """
    archives = [Archive(file) for file in files(path, (".npz",), folder=folder)]
    roles = roles_of(archives[0], features, target, test_features, test_target)
    return of_arrays("npz", archives, roles, Further(node, columns, classes, kind, vocabulary, memory_map))


class Further(NamedTuple):
    """What else is said about arrays; see the data set `npz`."""

    node: str | None
    columns: Paths | None
    classes: str | None
    kind: Kind | None
    vocabulary: int | None
    memory_map: MemoryMap


Roles = tuple[tuple[str, ...], str, tuple[str, ...], str]
"""The names of the arrays of features, of the target, and of the test set's."""


def of_arrays(name: str, archives: list[Archive], roles: Roles, more: Further) -> Dataset:
    """The data set called `name` of arrays that play these `roles`; raises ScenarioError."""
    left = _left_in_file(archives, roles[0], more.memory_map) if more.memory_map else None
    read: list[Any] = [_features(archive, roles[0], "features") for archive in archives] if left is None else [left]
    answers = [archive.read(roles[1], "target") for archive in archives]
    test = None
    if roles[2] and roles[3]:
        tests = [(_features(archive, roles[2], "test_features"), archive.read(roles[3], "test_target")) for archive in archives]
        test = (_joined([part for part, _ in tests], archives), _joined([part for _, part in tests], archives))
    return Dataset.of(
        name,
        _joined(read, archives),
        _joined(answers, archives),
        test=test,
        node=_nodes(archives, more.node, [len(part) for part in read]),
        kind=more.kind,
        classes=() if more.classes is None else tuple(map(str, archives[0].read(more.classes, "classes"))),
        columns=_columns(archives[0], more.columns, read[0].shape),
        vocabulary=more.vocabulary,
        spare=left is None,
    )


def _left_in_file(archives: list[Archive], names: tuple[str, ...], wanted: MemoryMap) -> Mapped | None:
    """The features, mapped; None where they are to be read. Raises ScenarioError if they have to be mapped and cannot be."""
    found: Mapped | str = "samples are in several arrays or files"
    if len(archives) == len(names) == 1:
        found = archives[0].map(names[0], "features")
    if isinstance(found, Mapped) and found.ndim == 1:
        found = "each of its samples is a single number"
    if isinstance(found, Mapped):
        return found if wanted is True or len(found) * found.row_bytes >= MAPPED_BYTES else None
    if wanted is True:
        what, fix = (
            f"{', '.join(names)} of {archives[0].path}",
            "save one array with numpy.save or numpy.savez, uncompressed, or write false",
        )
        raise ScenarioError.at("memory_map", f"{what} cannot be mapped: {found}", fix)
    return None


def _tuple(names: Paths | None) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names or ()


def roles_of(archive: Archive, features: Paths | None, target: str | None, test_features: Paths | None, test_target: str | None) -> Roles:
    """Which array is what, by the names that are given, or those that are usual; raises ScenarioError."""
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


def _joined(parts: list[Any], archives: list[Archive]) -> Any:
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
