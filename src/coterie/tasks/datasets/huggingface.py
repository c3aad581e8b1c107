"""A Hugging Face data set on disk: a folder that `save_to_disk` wrote, or one of parquet files as the hub keeps them.

Both are read as what they are, Arrow and parquet; nothing of the folder is run and the library `datasets` is not needed.
"""

import json
from pathlib import Path
from typing import Any

from coterie.core.errors import ScenarioError
from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import tables
from coterie.tasks.files.locations import absolute
from coterie.tasks.targets import Kind

FIX = "give a folder written by save_to_disk, or one with files such as train-00000-of-00001.parquet"


@dataset("huggingface")
def huggingface(
    *,
    folder: str | None,
    path: str,
    target: str = "label",
    features: tuple[str, ...] | None = None,
    node: str | None = None,
    train: str = "train",
    test: str | None = None,
    kind: Kind | None = None,
) -> Dataset:
    """A saved Hugging Face data set: columns of numbers, of equally long lists of numbers, or of words.

    path: the folder. target, features, node: columns; features are by default all others. train, test: the names of splits;
    a split called "test" is the official test set by default. Encoded pictures and sounds are not decoded here: the data
    set `python` takes a function of yours that does.
    """
    where = absolute(path, folder)
    if not where.is_dir():
        raise ScenarioError.at("path", f"there is no folder {where}", FIX)
    splits = _splits(where)
    chosen = train if train in splits or set(splits) != {""} else ""
    for place, name in (("train", chosen), ("test", test)):
        if name is not None and name not in splits:
            raise ScenarioError.at(
                place, f"{where} has no split {name!r}, but {', '.join(sorted(filter(None, splits))) or 'a single one'}", "name one"
            )
    tested = test or ("test" if "test" in splits and chosen != "test" else None)
    roles = tables.Roles(target, features, node, kind)
    parts = _joined(splits[chosen])
    return tables.dataset("huggingface", [(where.name, parts)], roles, [_joined(splits[tested])] if tested else ())


def _splits(where: Path) -> dict[str, list[Path]]:
    """The files of each split; of the only one, under "", where it has no name."""
    try:
        if (where / "dataset_dict.json").is_file():
            names = json.loads((where / "dataset_dict.json").read_text("utf-8"))["splits"]
            return {str(name): _arrow_files(where / str(name)) for name in names}
        if (where / "state.json").is_file():
            return {"": _arrow_files(where)}
    except (ValueError, KeyError, TypeError) as error:
        raise ScenarioError.at("path", f"{where} is not a saved data set: {error!r}", FIX) from error
    found: dict[str, list[Path]] = {}
    for file in sorted([*where.glob("*.parquet"), *where.glob("data/*.parquet")]):
        name, dash, _ = file.name.partition("-")
        found.setdefault(name if dash else file.stem, []).append(file)
    if not found:
        raise ScenarioError.at("path", f"{where} holds no saved data set", FIX)
    return found if len(found) > 1 or "train" in found else {"": next(iter(found.values()))}


def _arrow_files(where: Path) -> list[Path]:
    names = [str(entry["filename"]) for entry in json.loads((where / "state.json").read_text("utf-8"))["_data_files"]]
    files = [where / Path(name).name for name in names]
    missing = [file for file in files if not file.is_file()]
    if missing or not files:
        raise ScenarioError.at("path", f"{missing[0] if missing else where} is missing or empty", "copy the whole folder")
    return files


def _joined(files: list[Path]) -> Any:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    parts = []
    for file in files:
        with tables.readable(file):
            if file.suffix == ".parquet":
                with ParquetFile(file) as stored:
                    parts.append(stored.read())
            else:
                with pa.OSFile(str(file)) as stream:
                    parts.append(pa.ipc.open_stream(stream).read_all())
    with tables.readable(files[0]):
        return pa.concat_tables(parts, promote_options="permissive")
