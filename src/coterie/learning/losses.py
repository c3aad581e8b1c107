"""Losses and their gradients with respect to a model's outputs.

outputs: (n, k) float32, targets: (n,) int64 labels or float32 values. The loss of a batch is the mean over its samples.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor


FEW = 16
"""Fewer classes than this are less than a vector register: a softmax over them is two to nine times as fast across samples."""
LANES = 64
"""Samples that are computed together in such a softmax: a multiple of any register's."""


class Loss(Protocol):
    """A loss."""

    def mean(self, outputs: "Tensor", targets: "Tensor") -> "Tensor":
        """The loss of the batch, a scalar."""
        ...

    def gradient(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """The loss of the batch, a scalar, and its gradient (n, k) with respect to `outputs`, which have no graph."""
        ...

    def each(self, outputs: "Tensor", targets: "Tensor") -> "Tensor | None":
        """The loss of every sample (n,), or None if only the mean is known."""
        ...

    def slopes(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Of outputs (…, k): the loss (…) of every sample, and its gradient (…, k)."""
        ...


class CrossEntropy:
    """Minus the log-probability of the label under the softmax of the outputs."""

    kinds: ClassVar = frozenset({"classification"})

    def mean(self, outputs: "Tensor", targets: "Tensor") -> "Tensor":
        """A scalar."""
        from torch.nn.functional import cross_entropy

        return cross_entropy(outputs, targets)

    def gradient(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """A scalar, and (softmax - one-hot) / n."""
        from torch.nn.functional import nll_loss

        logs = outputs.log_softmax(1)
        loss = nll_loss(logs, targets)
        slope = logs.exp_()
        count = targets.shape[0]
        slope.scatter_add_(1, targets.unsqueeze(1), slope.new_full((count, 1), -1.0))
        return loss, slope.div_(count)

    def slopes(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Of outputs (…, n, k): the loss (…, n) of every sample, and its gradient (…, n, k)."""
        if outputs.shape[-1] >= FEW:
            labels = targets.unsqueeze(-1)
            logs = outputs.log_softmax(-1)
            losses = logs.gather(-1, labels).squeeze(-1).neg_()
            return losses, logs.exp_().scatter_add_(-1, labels, logs.new_full((), -1.0).expand(labels.shape))
        labels = targets.reshape(1, -1)
        columns = _columns(outputs).log_softmax(0)
        logs = columns[:, : labels.shape[1]]
        losses = logs.gather(0, labels).neg_().view(targets.shape)
        slopes = columns.exp_()[:, : labels.shape[1]]
        slopes.scatter_add_(0, labels, slopes.new_full((), -1.0).expand(labels.shape))
        return losses, slopes.t().view(outputs.shape)

    def each(self, outputs: "Tensor", targets: "Tensor") -> "Tensor":
        """(n,)."""
        from torch.nn.functional import cross_entropy

        if outputs.shape[-1] < FEW and len(outputs) >= LANES:
            logs = _columns(outputs).log_softmax(0)[:, : len(outputs)]
            return logs.gather(0, targets.unsqueeze(0)).squeeze(0).neg_()
        return cross_entropy(outputs, targets, reduction="none")


def _columns(outputs: "Tensor") -> "Tensor":
    """Outputs (…, k) as columns (k, m), m a multiple of LANES; those behind are zeros.

    A sample's bits must not depend on whether it is among the last, which do not fill a vector register.
    """
    rows = outputs.reshape(-1, outputs.shape[-1])
    count = rows.shape[0]
    columns = rows.new_zeros(rows.shape[1], -(-count // LANES) * LANES)
    columns[:, :count].copy_(rows.t())
    return columns


class SquaredError:
    """The square of the difference between the single output and the target."""

    kinds: ClassVar = frozenset({"regression"})

    def mean(self, outputs: "Tensor", targets: "Tensor") -> "Tensor":
        """A scalar."""
        return self.each(outputs, targets).mean()

    def gradient(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """A scalar, and 2 (output - target) / n."""
        error = outputs.reshape(-1) - targets
        return error.square().mean(), error.mul_(2 / targets.shape[0]).reshape(outputs.shape)

    def slopes(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Of outputs (…, 1): the loss (…) of every sample, and its gradient (…, 1)."""
        error = outputs.squeeze(-1) - targets
        return error.square(), error.mul_(2).unsqueeze(-1)

    def each(self, outputs: "Tensor", targets: "Tensor") -> "Tensor":
        """(n,)."""
        return (outputs.reshape(-1) - targets).square()


@dataclass(frozen=True)
class Own:
    """The user's loss: `function(outputs, targets)` gives a scalar, or the loss of every sample (n,)."""

    function: "Callable[[Tensor, Tensor], Tensor]"

    def mean(self, outputs: "Tensor", targets: "Tensor") -> "Tensor":
        """A scalar."""
        found = self.function(outputs, targets)
        return found if found.ndim == 0 else found.mean()

    def gradient(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """By automatic differentiation."""
        import torch

        with torch.enable_grad():
            leaf = outputs.detach().requires_grad_()
            loss = self.mean(leaf, targets)
            (slope,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), slope

    def slopes(self, outputs: "Tensor", targets: "Tensor") -> "tuple[Tensor, Tensor]":
        """Of outputs (…, k): the loss (…) of every sample, and its gradient (…, k), where the function gives the loss of every sample."""
        import torch

        with torch.enable_grad():
            leaf = outputs.detach().reshape(-1, outputs.shape[-1]).requires_grad_()
            losses = self.function(leaf, targets.reshape(-1))
            (slope,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach().view(targets.shape), slope.view(outputs.shape)

    def each(self, outputs: "Tensor", targets: "Tensor") -> "Tensor | None":
        """(n,) if the user's function gives that."""
        found = self.function(outputs, targets)
        return found if found.shape == targets.shape and found.ndim else None


LOSSES: dict[str, type[CrossEntropy] | type[SquaredError]] = {"cross-entropy": CrossEntropy, "squared-error": SquaredError}
