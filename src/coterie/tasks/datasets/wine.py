"""Wine: 178 Italian wines of three growers, described by 13 chemical measures.

Aeberhard and Forina, Wine, UCI Machine Learning Repository, 1992; bundled with scikit-learn.
"""

import numpy as np

from coterie.tasks.dataset import Column, Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import bundled

MEASURES = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity_of_ash",
    "magnesium",
    "total_phenols",
    "flavanoids",
    "nonflavanoid_phenols",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280/od315_of_diluted_wines",
    "proline",
)


@dataset("wine")
def wine() -> Dataset:
    """178 wines, 13 chemical measures, three growers; bundled with scikit-learn."""
    table = bundled.table("wine_data.csv", header=1)
    return Dataset(
        name="wine",
        inputs=table[:, :-1],
        targets=table[:, -1].astype(np.int64),
        classes=("class_0", "class_1", "class_2"),
        columns=tuple(map(Column, MEASURES)),
        preprocess=({"name": "standardize", "scope": "federation"},),
    )
