"""Forward and backward of many dense models at once, written out: batched products over the node axis.

Where a step of the optimizer is `parameters -= rate · gradient` and nothing looks at the gradient, it is not even stored: the
product that makes it adds it to the weights.
"""

from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor

from coterie.learning.batched.chunk import padded
from coterie.learning.layers import Linear, Relu
from coterie.learning.losses import Loss
from coterie.learning.network import Network

aten = torch.ops.aten


SMALL = 4096
"""Weights of a model up to this size: a product written or added to them, which torch does model by model, costs more than a step apart."""


class DenseLayer:
    """A linear layer of c models: weight (c, o, i), bias (c, o), and their gradients; relu: whether one comes before it."""

    def __init__(self, values: dict[str, Tensor], slopes: dict[str, Tensor], *, relu: bool) -> None:
        self.weight, self.bias = values["weight"], values["bias"].unsqueeze(1)
        self.weight_slope, self.bias_slope = slopes["weight"], slopes["bias"]
        self.relu, self.small = relu, self.weight[0].numel() <= SMALL

    def of_first(self, count: int) -> "DenseLayer":
        """The layers of the first so many models."""
        found = copy(self)
        for name in ("weight", "bias", "weight_slope", "bias_slope"):
            setattr(found, name, getattr(self, name)[:count])
        return found

    def forward(self, inputs: Tensor) -> Tensor:
        """(c, n, o) of inputs (c, n, i), which are changed where a ReLU comes first."""
        self.inputs = inputs.relu_() if self.relu else inputs
        return torch.baddbmm(self.bias, self.inputs, self.weight.transpose(1, 2))

    def back(self, slope: Tensor) -> Tensor:
        """The slope (c, n, i) before this layer and its ReLU; to be taken before `descend` changes the weights."""
        found = torch.bmm(slope, self.weight)
        return aten.threshold_backward(found, self.inputs, 0) if self.relu else found

    def differentiate(self, slope: Tensor) -> None:
        """Writes the gradients."""
        torch.bmm(slope.transpose(1, 2), self.inputs, out=self.weight_slope)
        torch.sum(slope, 1, out=self.bias_slope)

    def descend(self, slope: Tensor) -> None:
        """Takes the gradient, which `slope` holds times the learning rate, off the parameters."""
        if self.small:
            self.weight.sub_(torch.bmm(slope.transpose(1, 2), self.inputs))
        else:
            self.weight.baddbmm_(slope.transpose(1, 2), self.inputs, beta=1, alpha=-1)
        self.bias.sub_(slope.sum(1, keepdim=True))


class Batches(NamedTuple):
    """All batches of m nodes, of n samples each.

    inputs: (m, steps * n, numbers), batch after batch. targets: (m, steps, n). weights: (m, steps, n, 1), what a sample's gradient is
    multiplied by: its share of the batch, times the learning rate; 0 for padding.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor


class DenseModels:
    """`count` models of one dense network; see `Models`."""

    def __init__(self, network: Network, count: int, device: str) -> None:
        layout = self.layout = network.layout
        self.count = count
        self.values, self.gradient = (torch.zeros(count, padded(layout.size), device=device)[:, : layout.size] for _ in range(2))
        self.parameters = self.values
        values, slopes = layout.views(self.values), layout.views(self.gradient)
        self.layers: list[DenseLayer] = []
        self.names: list[str] = []
        relu = self._first_relu = False
        for at in network.stack:
            if isinstance(at.layer, Relu):
                relu = True
            elif isinstance(at.layer, Linear):
                own = [{name: views[f"{at.name}.{name}"] for name in ("weight", "bias")} for views in (values, slopes)]
                self.layers.append(DenseLayer(*own, relu=relu))
                self.names.append(at.name)
                relu = False
        self._relu_last = relu

    def outputs(self, inputs: Tensor) -> Tensor:
        """What the models give (count, n, k) for inputs (count, n, i), which are not changed unless the first layer is a ReLU."""
        for layer in self.layers:
            inputs = layer.forward(inputs)
        return inputs.relu_() if self._relu_last else inputs

    def common_outputs(self, inputs: Tensor) -> Tensor:
        """What every model gives (count, n, k) for the same inputs (n, i)."""
        return self.outputs(inputs.expand(self.count, *inputs.shape))

    def step(self, inputs: Tensor, targets: Tensor, weights: Tensor, loss: Loss, *, fused: bool) -> Tensor:
        """See `Models.step`."""
        losses, slope = self._slopes(self.outputs(inputs), targets, weights, loss)
        last = _back(self.layers[1:], slope, fused=fused)
        self.layers[0].descend(last) if fused else self.layers[0].differentiate(last)
        return losses

    def _slopes(self, found: Tensor, targets: Tensor, weights: Tensor, loss: Loss) -> tuple[Tensor, Tensor]:
        """The loss of every sample, and its weighted slope behind the last layer."""
        losses, slope = loss.slopes(found, targets)
        slope.mul_(weights)
        return losses, aten.threshold_backward(slope, found, 0) if self._relu_last else slope

    def sprint(self, batches: Batches, start: Tensor, loss: Loss, out: Tensor) -> Tensor:
        """What a few steps of plain SGD change, into `out` (m, d), for m models at most `count`; gives the losses (m, steps, n).

        start: (m, d), or (1, d) for all. The first layer's weights W are never changed on the way: a step adds
        -Aᵀ X to them, where A are the slopes behind the layer and X its samples. So what the layer gives for later samples Y is
        Y Wᵀ - (Y Xᵀ) A, and Y Xᵀ is known beforehand. Products are of all samples at once, and the change is written a single time.
        """
        inputs, targets, weights = batches
        count, steps, wide = targets.shape
        rest = [layer.of_first(count) for layer in self.layers[1:]]
        (name, *_), before, after = self.names, self.layout.views(start), self.layout.views(out)
        weight, bias = (before[f"{name}.{part}"].expand(count, *before[f"{name}.{part}"].shape[1:]) for part in ("weight", "bias"))
        given = torch.baddbmm(bias.unsqueeze(1), inputs, weight.transpose(1, 2))
        met = torch.bmm(inputs[:, wide:], inputs[:, :-wide].transpose(1, 2)).add_(1) if steps > 1 else given  # the 1 is the bias's
        behind, taken = weight[0].numel() + bias.shape[1], torch.empty_like(given)
        self.values[:count, behind:] = start[:, behind:]
        losses = weights.new_empty(targets.shape)
        for step in range(steps):
            first = step * wide
            now = slice(first, first + wide)
            found = given[:, now]
            if step:
                found = found + torch.bmm(met[:, first - wide : first, :first], taken[:, :first])
            for layer in rest:
                found = layer.forward(found)
            losses[:, step], slope = self._slopes(found.relu_() if self._relu_last else found, targets[:, step], weights[:, step], loss)
            torch.neg(_back(rest, slope, fused=True), out=taken[:, now])
        if self.layers[0].small:
            after[f"{name}.weight"].copy_(torch.bmm(taken.transpose(1, 2), inputs))
        else:
            torch.bmm(taken.transpose(1, 2), inputs, out=after[f"{name}.weight"])
        torch.sum(taken, 1, out=after[f"{name}.bias"])
        torch.sub(self.values[:count, behind:], start[:, behind:], out=out[:, behind:])
        return losses


def _back(layers: Sequence[DenseLayer], slope: Tensor, *, fused: bool) -> Tensor:
    """The slope before `layers`, whose gradients are written, or, if fused, taken off their parameters."""
    for layer in reversed(layers):
        before = layer.back(slope)
        layer.descend(slope) if fused else layer.differentiate(slope)
        slope = before
    return slope
