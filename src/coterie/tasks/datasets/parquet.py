"""The user's own parquet files."""

from pathlib import Path
from typing import Any

from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import tables
from coterie.tasks.files.locations import Paths, files, stems
from coterie.tasks.targets import Kind


@dataset("parquet")
def parquet(
    *,
    folder: str | None,
    path: Paths,
    target: str,
    features: tuple[str, ...] | None = None,
    node: str | None = None,
    test: Paths | None = None,
    kind: Kind | None = None,
) -> Dataset:
    """Tables in parquet files: one file, or one for each node.

    path: a file, a folder, a pattern or a list. target: the column to predict. features: those to predict it from; by
    default all others; a single column of equally long lists is an array. node: the column that says whose a row is.
    test: files of an official test set.
    """
    found = files(path, (".parquet",), folder=folder)
    checked = files(test, (".parquet",), folder=folder, place="test") if test is not None else []
    read = [_read(file) for file in found]
    return tables.dataset(
        "parquet", list(zip(stems(found), read, strict=True)), tables.Roles(target, features, node, kind), [_read(file) for file in checked]
    )


def _read(file: Path) -> Any:
    from pyarrow.parquet import ParquetFile

    with tables.readable(file), ParquetFile(file) as stored:
        return stored.read()
