"""FedProx: local training that is held near where it started.

Li et al. 2020, "Federated Optimization in Heterogeneous Networks", https://arxiv.org/abs/1812.06127.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from coterie.algorithms.algorithm import Algorithm, Sections, algorithm
from coterie.core.bounds import NonNegative


@algorithm("fedprox")
@dataclass(frozen=True)
class FedProx(Algorithm):
    """Federated averaging with the term `proximity` / 2 · ‖w - start‖² in every node's loss (the paper's μ)."""

    elementwise: ClassVar[bool] = True

    proximity: NonNegative = 0.01

    def gradient(self, gradient: Any, parameters: Any, start: Any, broadcast: Sections, client: Sections) -> Any:  # noqa: ARG002
        """The gradient of the loss with the proximal term."""
        return gradient + self.proximity * (parameters - start)
