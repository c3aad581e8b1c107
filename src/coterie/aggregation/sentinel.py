"""Sentinel: models that point the node's way, weighed by their loss on its own data, each layer no longer than its own.

Feng, Huertas Celdrán, Baltensperger, Martínez Beltrán, Bovet, Stiller 2023, "Sentinel: An Aggregation Function to Secure
Decentralized Federated Learning", https://arxiv.org/abs/2310.08097.
"""

from typing import Any

import numpy as np

from coterie.aggregation.arrays import Array, block, like
from coterie.aggregation.kinds import Place
from coterie.aggregation.neighbourhood import OWN, Neighbourhood
from coterie.aggregation.points import Points, quotient, shrinking
from coterie.aggregation.rules import points_rule
from coterie.core.bounds import Finite, Positive, Probability
from coterie.core.layout import Layout

LEAST_LOSS = 1e-3


@points_rule(OWN)
def sentinel(
    points: Points,
    *,
    similarity: Finite = 0.5,
    trust: Probability = 0.1,
    smallest: Positive = LEAST_LOSS,
    own: Place,
    losses: Any,
    layout: Layout | None = None,
    history: Any = None,
) -> tuple[Array, np.ndarray]:
    """The mean of the node's own model and those of neighbours that pass two tests, each layer clipped to the length of its own.

    A neighbour's model passes if its cosine to the node's own, a mean over layers, is at least `similarity`, and if its trust is at
    least `trust`: exp(-(its loss - own loss) / own loss), or 1 where its loss is less; losses are means over the rounds so far, own
    losses below `smallest` count as that. Trust is also its weight in the mean. history: rounds, then the mean loss of each model;
    where their number changes, it begins anew. Without a `layout` the whole model is one layer. Weights do not count.
    """
    around = Neighbourhood.of(points, own)
    mine, theirs = around.losses(points, losses)
    rounds, means = 1.0, np.array([mine, *theirs])
    if history is not None and len(history) == len(means) + 1:
        before = block([history], 0, len(history), np.float64)[0]
        rounds = before[0] + 1
        means = before[1:] + (means - before[1:]) / rounds
    cuts = [] if layout is None else [(entry.start, entry.stop) for entry in layout.entries if entry.stop > entry.start]
    done = cuts[-1][1] if cuts else 0
    cuts += [(done, points.size)] if done < points.size else []
    cosines, factors = _by_layer(points, around, cuts)
    belief = np.exp(-np.maximum(means[1:] - means[0], 0) / max(smallest, means[0]))
    belief[(cosines < similarity) | (belief < trust)] = 0
    parts = np.zeros(points.total)
    parts[[around.own, *around.others]] = np.concatenate([[1.0], belief]) / (1 + belief.sum())
    points.tell(parts)
    found = np.zeros(points.size)
    for start, stop, factor in ((*cut, factors[:, place]) for place, cut in enumerate(cuts)):
        rows = block([points.vector(place) for place in (around.own, *around.others)], start, stop, np.float64)
        found[start:stop] = np.concatenate([[1.0], belief * factor]) @ rows / (1 + belief.sum())
    return like(found, points.model), np.concatenate([[rounds], means])


def _by_layer(points: Points, around: Neighbourhood, cuts: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """((k,) each neighbour's mean cosine to the node's own, (k, layers) what makes its layers no longer than the node's)."""
    points.refuse_non_finite()
    cosines, factors = np.zeros((len(around.others), len(cuts))), np.ones((len(around.others), len(cuts)))
    for place, (start, stop) in enumerate(cuts):
        mine = block([points.vector(around.own)], start, stop, np.float64)[0]
        length = np.sqrt(mine @ mine)
        for row, other in enumerate(around.others):
            theirs = block([points.vector(other)], start, stop, np.float64)[0]
            size = np.sqrt(theirs @ theirs)
            cosines[row, place] = quotient(np.array([mine @ theirs]), np.array([length * size]))[0]
            factors[row, place] = shrinking(np.array([size]), length)[0]
    return cosines.mean(axis=1), factors
