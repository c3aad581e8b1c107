"""FedAdam: Adam on the server, with the mean change of the trainers as its gradient.

Reddi et al. 2021, "Adaptive Federated Optimization", https://arxiv.org/abs/2003.00295, algorithm 2.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from coterie.algorithms.algorithm import Algorithm, Sections, algorithm
from coterie.core.bounds import Positive
from coterie.learning.optimizers import Decay


@algorithm("fedadam")
@dataclass(frozen=True)
class FedAdam(Algorithm):
    """Adam on the server over the mean change; without bias correction, second moments start at adaptivity², as in the paper."""

    server_state: ClassVar[tuple[str, ...]] = ("momentum", "square")
    centralized_only: ClassVar[str] = "FedAdam keeps one optimizer for the whole federation, and nobody would hold it"

    learning_rate: Positive = 0.03
    beta1: Decay = 0.9
    beta2: Decay = 0.99
    adaptivity: Positive = 0.001

    def server(self, model: Any, mean: Sections, broadcast: Sections, state: Sections, fraction: float) -> tuple[Any, Sections, Sections]:  # noqa: ARG002
        """One step of Adam towards the mean change."""
        momentum, square = state or (0.0 * model, 0.0 * model + self.adaptivity**2)
        momentum = self.beta1 * momentum + (1 - self.beta1) * mean[0]
        square = self.beta2 * square + (1 - self.beta2) * mean[0] ** 2
        return model + self.learning_rate * momentum / (square**0.5 + self.adaptivity), broadcast, (momentum, square)
