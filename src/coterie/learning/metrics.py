"""What a model is judged by, beside its loss: functions of all outputs (n, k) and targets (n,) of a test set at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor


class Metric(Protocol):
    """A metric."""

    def __call__(self, outputs: "Tensor", targets: "Tensor") -> float:
        """The value over the whole test set."""
        ...


class Accuracy:
    """The share of samples whose largest output is that of their label."""

    kinds: ClassVar = frozenset({"classification"})

    def __call__(self, outputs: "Tensor", targets: "Tensor") -> float:
        """In [0, 1]."""
        return int(self.each(outputs, targets).count_nonzero()) / len(targets)

    def each(self, outputs: "Tensor", targets: "Tensor") -> "Tensor":
        """(n,) bool: which samples are right."""
        return outputs.argmax(1) == targets


class R2:
    """The coefficient of determination: 1 - squared error / squared deviation from the mean of the targets."""

    kinds: ClassVar = frozenset({"regression"})

    def __call__(self, outputs: "Tensor", targets: "Tensor") -> float:
        """At most 1; 0 is the mean's. Where all targets are equal: 1 if each is met, else 0, as scikit-learn has it."""
        exact = targets.double()
        error = float((outputs.reshape(-1).double() - exact).square().sum())
        spread = float((exact - exact.mean()).square().sum())
        if not spread:
            return 0.0 if error else 1.0
        return 1 - error / spread


@dataclass(frozen=True)
class Own:
    """The user's metric: `function(outputs, targets)` gives a number."""

    function: "Callable[[Tensor, Tensor], float]"

    def __call__(self, outputs: "Tensor", targets: "Tensor") -> float:
        """Whatever it is."""
        return float(self.function(outputs, targets))


METRICS: dict[str, type[Accuracy] | type[R2]] = {"accuracy": Accuracy, "r2": R2}
