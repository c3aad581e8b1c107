"""Breast cancer: 569 tumours described by 30 measures of cell nuclei.

Wolberg, Mangasarian, Street and Street, Breast Cancer Wisconsin (Diagnostic), UCI Machine Learning Repository, 1993; bundled
with scikit-learn.
"""

import numpy as np

from coterie.tasks.dataset import Column, Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import bundled

MEASURES = (
    "radius",
    "texture",
    "perimeter",
    "area",
    "smoothness",
    "compactness",
    "concavity",
    "concave points",
    "symmetry",
    "fractal dimension",
)
"""Of each of these: the mean over a tumour's nuclei, its standard error, and the mean of the three worst."""


@dataset("breast-cancer")
def breast_cancer() -> Dataset:
    """569 tumours, 30 measures, malignant or benign; bundled with scikit-learn."""
    table = bundled.table("breast_cancer.csv", header=1)
    names = [f"mean {m}" for m in MEASURES] + [f"{m} error" for m in MEASURES] + [f"worst {m}" for m in MEASURES]
    return Dataset(
        name="breast-cancer",
        inputs=table[:, :-1],
        targets=table[:, -1].astype(np.int64),
        classes=("malignant", "benign"),
        columns=tuple(map(Column, names)),
        preprocess=({"name": "standardize", "scope": "federation"},),
    )
