"""The user's own csv files."""

from pathlib import Path
from typing import Annotated, Any

from annotated_types import Len

from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import tables
from coterie.tasks.files.locations import Paths, files, stems
from coterie.tasks.targets import Kind


@dataset("csv")
def csv(
    *,
    folder: str | None,
    path: Paths,
    target: str,
    features: tuple[str, ...] | None = None,
    node: str | None = None,
    test: Paths | None = None,
    kind: Kind | None = None,
    separator: Annotated[str, Len(1, 1)] = ",",
    missing: tuple[str, ...] = ("?",),
) -> Dataset:
    """Tables in csv files with a line of column names: one file, or one for each node.

    path: a file (plain or .gz), a folder, a pattern or a list. target: the column to predict. features: those to predict it
    from; by default all others. node: the column that says whose a row is. test: files of an official test set.
    missing: what stands for a missing value, besides an empty field, NA, NaN and null.
    """
    found = files(path, (".csv", ".csv.gz"), folder=folder)
    checked = files(test, (".csv", ".csv.gz"), folder=folder, place="test") if test is not None else []
    roles = tables.Roles(target, features, node, kind)
    read = [_read(file, separator, missing) for file in found]
    return tables.dataset("csv", list(zip(stems(found), read, strict=True)), roles, [_read(file, separator, missing) for file in checked])


def _read(file: Path, separator: str, missing: tuple[str, ...]) -> Any:
    from pyarrow import csv as arrow

    nulls = [*arrow.ConvertOptions().null_values, *missing]
    with tables.readable(file):
        return arrow.read_csv(
            file,
            parse_options=arrow.ParseOptions(delimiter=separator),
            convert_options=arrow.ConvertOptions(null_values=nulls, strings_can_be_null=True),
        )
