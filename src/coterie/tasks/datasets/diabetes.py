"""Diabetes: 442 patients, how far their disease went in a year (a regression).

Efron, Hastie, Johnstone and Tibshirani, Least Angle Regression, Annals of Statistics, 2004; bundled with scikit-learn.
"""

import numpy as np

from coterie.tasks.dataset import Column, Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import bundled

MEASURES = ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6")


@dataset("diabetes")
def diabetes() -> Dataset:
    """442 patients, 10 measures, disease progression after a year (25 to 346) to predict; bundled with scikit-learn."""
    return Dataset(
        name="diabetes",
        inputs=bundled.table("diabetes_data_raw.csv.gz", separator=None),
        targets=bundled.table("diabetes_target.csv.gz", separator=None)[:, 0].astype(np.float32),
        columns=tuple(map(Column, MEASURES)),
        preprocess=({"name": "standardize", "scope": "federation"}, {"name": "standardize-target"}),
    )
