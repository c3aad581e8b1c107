"""Federated algorithms: what a client adds to its gradient and sends, what the server does with the mean, the state of both."""

from coterie.algorithms.algorithm import ALGORITHMS, Algorithm, algorithm, build

__all__ = ["ALGORITHMS", "Algorithm", "algorithm", "build"]
