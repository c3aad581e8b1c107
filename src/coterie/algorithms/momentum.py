"""Worker momentum: every node sends the running mean of its updates instead of the newest.

Karimireddy, He, Jaggi 2021, "Learning from History for Byzantine Robust Optimization", https://arxiv.org/abs/2012.10333, and El Mhamdi,
Guerraoui, Rouault 2021, "Distributed Momentum for Byzantine-resilient Stochastic Gradient Descent". With one plain step a round it is the
momentum of the papers.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from coterie.algorithms.algorithm import Algorithm, Sections, algorithm
from coterie.core.bounds import Probability


@algorithm("momentum")
@dataclass(frozen=True)
class Momentum(Algorithm):
    """Federated averaging of what each node's updates come to over rounds: m ← `beta` m + (1 - `beta`) update.

    m is 0 before a node's first round, so that the first updates count little. What lies on the way of single updates (noise, few samples)
    evens out, and a robust rule can tell honest nodes from others the better.
    """

    client_state: ClassVar[tuple[str, ...]] = ("momentum",)
    rewrites: ClassVar[bool] = True
    elementwise: ClassVar[bool] = True

    beta: Probability = 0.9

    def finish(self, start: Any, end: Any, broadcast: Sections, client: Sections, moved: Any) -> tuple[Sections, Sections]:  # noqa: ARG002
        """The running mean, sent and kept."""
        momentum = self.beta * client[0] + (1 - self.beta) * (end - start)
        return (momentum,), (momentum,)
