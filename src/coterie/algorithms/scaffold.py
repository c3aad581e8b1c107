"""SCAFFOLD: control variates that take the drift out of local training.

Karimireddy et al. 2020, "SCAFFOLD: Stochastic Controlled Averaging for Federated Learning", https://arxiv.org/abs/1910.06378,
algorithm 1 with option II.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from coterie.algorithms.algorithm import Algorithm, Sections, algorithm
from coterie.core.bounds import Positive


@algorithm("scaffold")
@dataclass(frozen=True)
class Scaffold(Algorithm):
    """The server keeps a control variate c, each node its own; their difference corrects every local gradient."""

    update: ClassVar[tuple[str, ...]] = ("delta", "control")
    broadcast: ClassVar[tuple[str, ...]] = ("control",)
    client_state: ClassVar[tuple[str, ...]] = ("control",)
    elementwise: ClassVar[bool] = True
    centralized_only: ClassVar[str] = "SCAFFOLD's control variate is the mean over all nodes, and nobody would hold it"

    server_rate: Positive = 1.0

    def gradient(self, gradient: Any, parameters: Any, start: Any, broadcast: Sections, client: Sections) -> Any:  # noqa: ARG002
        """The gradient minus the node's own drift plus everybody's."""
        return gradient + (broadcast[0] - client[0])

    def finish(self, start: Any, end: Any, broadcast: Sections, client: Sections, moved: Any) -> tuple[Sections, Sections]:
        """Option II: the new control variate is the mean gradient along the way."""
        control = client[0] - broadcast[0] + (start - end) / moved
        return (end - start, control - client[0]), (control,)

    def server(self, model: Any, mean: Sections, broadcast: Sections, state: Sections, fraction: float) -> tuple[Any, Sections, Sections]:
        """The paper weighs trainers alike; here the aggregation rule has weighed them, by samples unless told otherwise."""
        return model + self.server_rate * mean[0], (broadcast[0] + fraction * mean[1],), state
