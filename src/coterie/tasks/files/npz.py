"""NumPy archives, without pickles."""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError, nearest


class Archive:
    """The arrays of one `.npz` file, read when asked for; a damaged or pickled one raises ScenarioError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _readable(path):
            if not zipfile.is_zipfile(path):
                raise ScenarioError.at(
                    "path", f"{path} is not an .npz archive, or is truncated", "save it with numpy.savez, or get it again"
                )
            with np.load(path, allow_pickle=False) as arrays:
                self.names: tuple[str, ...] = tuple(arrays.files)

    def has(self, names: Iterable[str]) -> bool:
        """Whether all `names` are there."""
        return set(names) <= set(self.names)

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.read(name, "path")

    def read(self, name: str, place: str) -> NDArray[Any]:
        """The array called `name`; a fault is placed at the parameter that names it."""
        if name not in self.names:
            raise ScenarioError.at(
                place, f"{self.path} has no array {name!r}, but {', '.join(self.names) or 'none at all'}", nearest(name, self.names)
            )
        with _readable(self.path, name), np.load(self.path, allow_pickle=False) as arrays:
            return np.asarray(arrays[name])


@contextmanager
def _readable(path: Path, name: str = "") -> Iterator[None]:
    what = f"the array {name!r} of {path}" if name else str(path)
    try:
        yield
    except ScenarioError:
        raise
    except ValueError as error:
        if "allow_pickle" in str(error):
            raise ScenarioError.at("path", f"{what} holds Python objects, which are never loaded", "save plain numbers or words") from error
        raise ScenarioError.at("path", f"{what} cannot be read: {error}", "it is damaged: get it again") from error
    except (OSError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, MemoryError) as error:
        raise ScenarioError.at("path", f"{what} cannot be read: {error}", "it is truncated or damaged: get it again") from error
