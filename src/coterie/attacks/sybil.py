"""Sybils: one attacker behind several identities.

Douceur 2002, "The Sybil Attack"; in federations Fung, Yoon, Beschastnikh 2020, "The Limitations of Federated Learning in Sybil
Settings", https://arxiv.org/abs/1808.04866.
"""

import numpy as np

from coterie.attacks.attack import update_attack


@update_attack(sees={"own"})
def sybil(honest: np.ndarray, count: int, *, split: bool = False, own: np.ndarray | None = None) -> np.ndarray:
    """All attackers send the update of the first of them, who is behind all. split: each sends its part, so that the sum is one update."""
    mine: np.ndarray = honest[0] if own is None else own[0]
    return mine / count if split else mine
