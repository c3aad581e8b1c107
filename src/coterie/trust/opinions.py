"""What others say of third parties, and how much of it is believed.

Weighed by the rater's own reputation: Jøsang, Ismail 2002, section 3 (discounting). The deviation test: Buchegger, Le Boudec 2004,
"A Robust Reputation System for P2P and Mobile Ad-hoc Networks", P2PEcon: an opinion that is too far from what is known is not heard.
Opinions are what a rater has seen itself, never hearsay, so that a rumour is not heard twice.
"""

from collections.abc import Mapping

import numpy as np


def heard(
    own: np.ndarray,
    known: np.ndarray,
    said: np.ndarray,
    raters: np.ndarray,
    *,
    weight: float,
    deviation: float,
) -> np.ndarray:
    """(n,) reputations after `said` (r, n), NaN where a rater says nothing, beside `own` (n,).

    known: (n,) whether the node has seen them itself; of others, opinions are tested against their own weighted median. raters: (r,) what
    each rater's word weighs. All opinions together weigh `weight` beside the node's own 1. So none moves by more than
    weight / (1 + weight) · `deviation` of who was seen, whatever is said and by how many.
    """
    if not len(said) or weight <= 0:
        return own
    words = np.where(np.isnan(said) | (raters[:, None] <= 0), 0.0, raters[:, None])
    values = np.nan_to_num(said, nan=0.0)
    against = np.where(known, own, [_median(values[:, place], words[:, place], own[place]) for place in range(len(own))])
    words = np.where(np.abs(values - against) <= deviation, words, 0.0)
    total = words.sum(axis=0)
    mean = np.divide((words * values).sum(axis=0), total, out=own.copy(), where=total > 0)
    share = np.where(total > 0, weight * np.minimum(1.0, total), 0.0)
    found: np.ndarray = (own + share * mean) / (1 + share)
    return found


def _median(values: np.ndarray, weights: np.ndarray, otherwise: float) -> float:
    if not weights.sum() > 0:
        return otherwise
    order = np.argsort(values)
    return float(values[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)])


def table(ids: np.ndarray, scores: Mapping[int, Mapping[int, float]]) -> np.ndarray:
    """(raters, n) what each rater says of `ids` (n,), of itself too NaN: nobody is a judge in his own cause."""
    return np.array([[rows.get(node, np.nan) if node != rater else np.nan for node in ids.tolist()] for rater, rows in scores.items()])
