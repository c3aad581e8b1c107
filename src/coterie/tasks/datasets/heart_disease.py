"""Heart disease: 920 patients of four hospitals, each hospital a natural node.

Janosi, Steinbrunn, Pfisterer and Detrano, Heart Disease, UCI Machine Learning Repository, 1988 (CC BY 4.0); as a federated
data set in Ogier du Terrail et al., FLamby, NeurIPS 2022.
"""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError
from coterie.tasks import downloads
from coterie.tasks.dataset import Column, Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files.locations import absolute
from coterie.tasks.files.npz import Archive

ADDRESS = "https://archive.ics.uci.edu/ml/machine-learning-databases/heart-disease/"
CHECKSUMS = {
    "processed.cleveland.data": "a74b7efa387bc9d108d7d0115d831fe9b414b29ae7124f331b622b4efa0427c8",
    "processed.hungarian.data": "d1ad108f785768cd3d7e82dc522e6f5a61eea93cccfb3a46ee8076f73fc3d796",
    "processed.switzerland.data": "834a405ccf5b66ab4056bb77794adc8df0b7125186454c0a1d002d33c6c3b314",
    "processed.va.data": "e7c93d8d0d2acdadfa4c5e8de768e2191e7f618b952e29623f1f0d5949ff6b8f",
}
"""SHA-256 of the four files; the order is that of the nodes."""

HOSPITALS = ("Cleveland", "Hungary", "Switzerland", "VA Long Beach")
COLUMNS = ("age", "sex", "cp", "trestbps", "chol", "fbs", "restecg", "thalach", "exang", "oldpeak", "slope", "ca", "thal")
NEVER_ZERO = ("trestbps", "chol")
"""Blood pressure and cholesterol: a zero is how some hospitals wrote that it was not measured."""


@dataset("heart-disease")
def heart_disease(
    *, folder: str | None, path: str | None = None, mirror: str | None = None, target: Literal["presence", "severity"] = "presence"
) -> Dataset:
    """920 patients, 13 measures (many missing), four hospitals as natural nodes; is there heart disease?

    path: a folder with the four processed.*.data files, or an .npz with x, y, hospital and hospital_names. Without it the
    files are downloaded once, checked and cached; mirror: the address of a folder to download them from instead.
    target: presence (no or yes) or severity (0 to 4). A cholesterol or blood pressure of 0 counts as missing.
    """
    if path is None:
        inputs, severity, hospitals, names = _from_files(downloads.fetch("heart-disease", CHECKSUMS, ADDRESS, mirror))
    elif (where := absolute(path, folder)).is_dir():
        inputs, severity, hospitals, names = _from_files({name: where / name for name in CHECKSUMS})
    else:
        inputs, severity, hospitals, names = _from_archive(where)
    inputs = inputs.astype(np.float32)
    for name in NEVER_ZERO:
        values = inputs[:, COLUMNS.index(name)]
        values[values == 0] = np.nan
    return Dataset(
        name="heart-disease",
        inputs=inputs,
        targets=(severity > 0).astype(np.int64) if target == "presence" else severity.astype(np.int64),
        classes=("healthy", "ill") if target == "presence" else tuple("01234"),
        columns=tuple(map(Column, COLUMNS)),
        groups=hospitals.astype(np.int64),
        group_names=names,
        preprocess=({"name": "impute", "scope": "federation"}, {"name": "standardize", "scope": "federation"}),
    )


Patients = tuple[NDArray[Any], NDArray[Any], NDArray[Any], tuple[str, ...]]


def _from_archive(where: Path) -> Patients:
    if not where.exists():
        raise ScenarioError.at(
            "path", f"there is no file or folder {where}", "give an .npz, or the folder of the four processed.*.data files"
        )
    archive = Archive(where)
    inputs, severity, hospitals = (archive[name] for name in ("x", "y", "hospital"))
    names = tuple(map(str, archive["hospital_names"]))
    shapes = inputs.shape, severity.shape, hospitals.shape
    if (
        shapes != ((len(inputs), len(COLUMNS)), (len(inputs),), (len(inputs),))
        or inputs.dtype.kind != "f"
        or {severity.dtype.kind, hospitals.dtype.kind} - set("iu")
    ):
        raise ScenarioError.at(
            "path",
            f"{where} has x, y and hospital of the shapes {shapes}, expected numbers (n, 13), (n,) and (n,)",
            "give the original arrays",
        )
    if hospitals.min() < 0 or hospitals.max() >= len(names):
        raise ScenarioError.at(
            "path", f"{where} has hospitals {hospitals.min()} to {hospitals.max()} but {len(names)} names", "give the original arrays"
        )
    return inputs, severity, hospitals, names


def _from_files(found: dict[str, Path]) -> Patients:
    tables = [_patients(path) for path in found.values()]
    sizes = [len(table) for table in tables]
    table = np.concatenate(tables)
    return table[:, :-1], table[:, -1].astype(np.int64), np.repeat(np.arange(len(tables)), sizes), HOSPITALS


def _patients(path: Path) -> NDArray[np.float32]:
    """(patients, 14): 13 measures and the severity; a question mark is missing."""
    try:
        lines = [line.split(",") for line in path.read_text("ascii").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError.at("path", f"{path} cannot be read: {error}", "give the folder of the four processed.*.data files") from error
    width = len(COLUMNS) + 1
    for number, line in enumerate(lines, 1):
        if len(line) != width:
            raise ScenarioError.at(
                "path", f"{path}, line {number} has {len(line)} fields, expected {width}", "it is truncated: get it again"
            )
    try:
        table = np.array([[float("nan") if field.strip() == "?" else float(field) for field in line] for line in lines], np.float32)
    except ValueError as error:
        raise ScenarioError.at("path", f"{path} holds something that is no number: {error}", "get it again") from error
    if not len(table) or not np.isin(table[:, -1], np.arange(5)).all():
        raise ScenarioError.at("path", f"{path} has no patients, or one whose last field is not 0 to 4", "get it again")
    return table
