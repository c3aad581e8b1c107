"""Dissensus: drives a node of a graph away from what its neighbours agree on.

He, Karimireddy, Jaggi 2022, "Byzantine-Robust Decentralized Learning via ClippedGossip", https://arxiv.org/abs/2202.01545,
section 5.1.
"""

import numpy as np

from coterie.attacks.attack import update_attack
from coterie.core.bounds import Positive


@update_attack(sees={"honest", "received"})
def dissensus(
    honest: np.ndarray,
    count: int,
    *,
    epsilon: Positive = 1.0,
    received: np.ndarray,
    weights: np.ndarray | None = None,
    weight: float | None = None,
) -> np.ndarray:
    """The attacked node's model less `epsilon` times what its honest neighbours pull it by; with 1, a plain mean stays where it is.

    received: its model. honest: its honest neighbours' models, which weigh `weights` there (by default all alike); weight: what the
    attackers around it weigh, together (by default each as much as a neighbour).
    """
    shares = np.ones(len(honest)) if weights is None else np.asarray(weights, dtype=np.float64)
    theirs = count * shares.mean() if weight is None else weight
    if theirs == 0:
        return received
    pull = shares @ honest - shares.sum() * received.astype(np.float64)
    found: np.ndarray = received - epsilon * pull / theirs
    return found
