"""The mean of clipped updates: no node moves the model by more than `radius`, whatever it sends.

Sun et al. 2019, "Can You Really Backdoor Federated Learning?", https://arxiv.org/abs/1911.07963.
"""

from coterie import aggregation
from coterie.core.bounds import Positive


@aggregation.rule
def clipped_mean(updates, weights, *, radius: Positive = 1.0):
    """The weighted mean of the updates, each first shortened to a length of at most `radius`."""
    lengths = (updates**2).sum(1) ** 0.5
    return (weights / weights.sum() * radius / lengths.clip(min=radius)) @ updates
