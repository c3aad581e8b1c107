"""Whether a vector would stand out: robust z-scores among the vectors that the attackers know.

Iglewicz, Hoaglin 1993, "How to Detect and Handle Outliers": (x - median) / (1.4826 · median absolute deviation), usually up to 3.5.
"""

import numpy as np

SCALE = 1.4826
"""Makes the median absolute deviation of normal numbers their standard deviation."""


def unnoticed(sent: np.ndarray, known: np.ndarray, most: float) -> np.ndarray:
    """(k,) whether each of `sent` (k, d) would pass among `known` (n, d).

    It would where its length, its distance to the coordinate-wise median of `known` and its cosine to that median have robust z-scores of
    at most `most`, on the side on which outliers are: longer, farther, another way.
    """
    middle = np.median(known, axis=0)
    looks = [_looks(rows.astype(np.float64), middle) for rows in (sent, known)]
    passes = np.ones(len(sent), dtype=bool)
    for mine, usual, side in zip(*looks, (1, 1, -1), strict=True):
        centre = np.median(usual)
        spread = SCALE * np.median(np.abs(usual - centre))
        passes &= side * (mine - centre) <= most * max(float(spread), 1e-12 * max(1.0, abs(float(centre))))
    return passes


def _looks(rows: np.ndarray, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) lengths, distances to `middle`, cosines to `middle`."""
    lengths = np.linalg.norm(rows, axis=1)
    distances = np.linalg.norm(rows - middle, axis=1)
    cosines = rows @ middle / np.maximum(lengths * np.linalg.norm(middle), np.finfo(float).tiny)
    return lengths, distances, cosines
