"""Federated averaging.

McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data", https://arxiv.org/abs/1602.05629.
"""

from dataclasses import dataclass

from coterie.algorithms.algorithm import Algorithm, algorithm


@algorithm("fedavg")
@dataclass(frozen=True)
class FedAvg(Algorithm):
    """Train locally, average: the new model is the old one plus the aggregate of the trainers' changes."""
