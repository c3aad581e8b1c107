"""Digits: 1,797 grey images of 8 by 8 handwritten digits.

Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998; bundled with scikit-learn.
"""

import numpy as np

from coterie.tasks.dataset import Dataset
from coterie.tasks.datasets import dataset
from coterie.tasks.files import bundled


@dataset("digits")
def digits() -> Dataset:
    """1,797 images (1, 8, 8) of ten digits, pixels from 0 to 1; bundled with scikit-learn."""
    table = bundled.table("digits.csv.gz").astype(np.uint8)
    return Dataset(
        name="digits",
        inputs=table[:, :-1].reshape(-1, 1, 8, 8),
        targets=table[:, -1],
        classes=tuple("0123456789"),
        scale=1 / 16,
    )
