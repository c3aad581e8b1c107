"""Optimizers on flat vectors: a step is a handful of operations in place, whatever the number of layers.

An optimizer is a frozen dataclass of its settings. Its state is `slots` vectors of the parameters' size, all zero before the
first step. Results equal torch.optim's of the same name.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Protocol

from annotated_types import Ge, Lt

from coterie.core.bounds import NonNegative, Positive
from coterie.core.errors import ScenarioError
from coterie.core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor

Decay = Annotated[float, Ge(0), Lt(1)]


class Optimizer(Protocol):
    """What moves parameters along a gradient."""

    @property
    def learning_rate(self) -> float:
        """The rate that a schedule multiplies."""
        ...

    @property
    def slots(self) -> int:
        """How many state vectors it keeps."""
        ...

    def step(self, parameters: "Tensor", gradient: "Tensor", state: "list[Tensor]", rate: float, count: int) -> None:
        """Step number `count` (from 1) at `rate`: changes `parameters` and `state` in place; `gradient` is scratch space after it."""
        ...


OPTIMIZERS: Registry[type[Optimizer]] = Registry("optimizer")
optimizer = OPTIMIZERS.register


@optimizer("sgd")
@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent, with momentum (Polyak's, or Nesterov's in the form of Sutskever et al. 2013)."""

    learning_rate: Positive = 0.1
    momentum: Decay = 0.0
    nesterov: bool = False
    weight_decay: NonNegative = 0.0

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ScenarioError.at("training.optimizer.nesterov", "needs a momentum", "set momentum, say 0.9")

    @property
    def slots(self) -> int:
        """One for the velocity if there is momentum."""
        return 1 if self.momentum else 0

    def step(self, parameters: "Tensor", gradient: "Tensor", state: "list[Tensor]", rate: float, count: int) -> None:  # noqa: ARG002
        """As torch.optim.SGD without dampening."""
        if self.weight_decay:
            gradient.add_(parameters, alpha=self.weight_decay)
        if self.momentum:
            velocity = state[0].mul_(self.momentum).add_(gradient)
            gradient = gradient.add_(velocity, alpha=self.momentum) if self.nesterov else velocity
        parameters.add_(gradient, alpha=-rate)

    @property
    def plain(self) -> bool:
        """Whether a step is only `parameters -= rate * gradient`."""
        return not (self.momentum or self.weight_decay)

    def step_rows(self, parameters: "Tensor", gradient: "Tensor", state: "list[Tensor]", rate: "Tensor", count: "Tensor") -> None:  # noqa: ARG002
        """The step of many nodes at once: parameters, gradient, state (c, t), each at its own rate and count (c, 1)."""
        if self.weight_decay:
            gradient.add_(parameters, alpha=self.weight_decay)
        if self.momentum:
            velocity = state[0].mul_(self.momentum).add_(gradient)
            gradient = gradient.add_(velocity, alpha=self.momentum) if self.nesterov else velocity
        parameters.addcmul_(gradient, rate, value=-1)


@optimizer("adam")
@dataclass(frozen=True)
class Adam:
    """Adam (Kingma and Ba 2015); with `decoupled`, weight decay as in AdamW (Loshchilov and Hutter 2019)."""

    slots: ClassVar[int] = 2

    learning_rate: Positive = 0.001
    beta1: Decay = 0.9
    beta2: Decay = 0.999
    epsilon: Positive = 1e-8
    weight_decay: NonNegative = 0.0
    decoupled: bool = False

    def step(self, parameters: "Tensor", gradient: "Tensor", state: "list[Tensor]", rate: float, count: int) -> None:
        """As torch.optim.Adam and AdamW."""
        mean, square = state
        if self.weight_decay and self.decoupled:
            parameters.mul_(1 - rate * self.weight_decay)
        elif self.weight_decay:
            gradient.add_(parameters, alpha=self.weight_decay)
        mean.lerp_(gradient, 1 - self.beta1)
        square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        spread = square.sqrt().div_(math.sqrt(1 - self.beta2**count)).add_(self.epsilon)
        parameters.addcdiv_(mean, spread, value=-rate / (1 - self.beta1**count))

    def step_rows(self, parameters: "Tensor", gradient: "Tensor", state: "list[Tensor]", rate: "Tensor", count: "Tensor") -> None:
        """The step of many nodes at once: parameters, gradient, state (c, t), each at its own rate and count (c, 1)."""
        mean, square = state
        if self.weight_decay and self.decoupled:
            parameters.mul_(1 - rate * self.weight_decay)
        elif self.weight_decay:
            gradient.add_(parameters, alpha=self.weight_decay)
        mean.lerp_(gradient, 1 - self.beta1)
        square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
        first, second = (1 - beta ** count.double() for beta in (self.beta1, self.beta2))
        spread = square.sqrt().div_(second.sqrt().float()).add_(self.epsilon)
        parameters.addcdiv_(mean * (rate / first).float(), spread, value=-1)
