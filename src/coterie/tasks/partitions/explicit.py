"""Explicit lists: the user says which rows go to which node."""

import json
from pathlib import Path

import numpy as np

from coterie.core.bounds import Natural
from coterie.core.errors import ScenarioError
from coterie.tasks.files.locations import absolute
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Indices, Ragged


@partition("explicit")
def explicit(pool: Pool, *, lists: tuple[tuple[Natural, ...], ...] = (), path: str | None = None) -> Ragged:
    """Rows of the data set for each node, as `lists` or in a JSON file of lists at `path`; a row left out is not used.

    Rows that were drawn for the common test set before are left out of the lists.
    """
    if bool(lists) == (path is not None):
        raise ScenarioError.at("lists", "rows are given by lists or by a path, one of the two", "write lists: [[0, 1], [2, 3]]")
    wanted = Ragged.from_lists(_read(absolute(path, pool.folder)) if path is not None else lists)
    _refuse_wrong(wanted, pool.total)
    place = np.full(pool.total, -1, np.int64)
    place[pool.rows] = np.arange(pool.size)
    found = place[wanted.indices]
    owners = np.full(pool.size, -1, np.int64)
    owners[found[found >= 0]] = wanted.owners[found >= 0]
    return Ragged.of(owners, len(wanted))


def _refuse_wrong(wanted: Ragged, total: int) -> None:
    if (last := int(wanted.indices.max(initial=0))) >= total:
        raise ScenarioError.at("lists", f"there is no row {last:,}: the data set has {total:,}", f"list rows from 0 to {total - 1}")
    counts = np.bincount(wanted.indices, minlength=1)
    if counts.max() > 1:
        row = int(counts.argmax())
        holders = ", ".join(str(node) for node in np.unique(wanted.owners[wanted.indices == row]))
        raise ScenarioError.at("lists", f"row {row} is listed {counts[row]} times (node {holders})", "list every row once at most")


def _read(file: Path) -> list[Indices]:
    fix = "give a JSON file such as [[0, 1], [2, 3]]: the rows of each node"
    try:
        lists = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ScenarioError.at("path", f"{file} cannot be read as JSON: {error}", fix) from None
    good = isinstance(lists, list) and all(
        isinstance(rows, list) and all(type(row) is int and 0 <= row < 1 << 62 for row in rows) for rows in lists
    )
    if not good or not lists:
        raise ScenarioError.at("path", f"{file} does not hold lists of row numbers", fix)
    return [np.array(rows, dtype=np.int64) for rows in lists]
