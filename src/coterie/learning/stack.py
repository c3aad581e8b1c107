"""Forward and backward of the built-in layers, written out.

The operations are those that automatic differentiation would run; without its graph a small model trains in half the time.
Gradients are written where they belong in the flat buffer. Images are laid out channels last, in which max-pooling is ten
times and convolution up to twice as fast on CPUs. Shapes at the seams are torch's: (batch, …).
"""

from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from coterie.learning.layers import Channels, Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu
from coterie.learning.network import Network

if TYPE_CHECKING:
    from coterie.learning.losses import Loss

aten = torch.ops.aten

LARGE = 1 << 20
"""Weights from this size on do not fit a core's cache beside the rest: the product that reads them once wins."""


class Work(Protocol):
    """One layer at work; `forward` keeps what the next `backward` needs."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs of the layer."""
        ...

    def backward(self, slope: Tensor, *, first: bool) -> Tensor | None:
        """Writes the gradients of the parameters; gives that of the inputs, unless the layer is the `first` to have any."""
        ...


Views = dict[str, Tensor]


class LinearWork:
    """Inputs (n, i), outputs (n, o)."""

    def __init__(self, values: Views, slopes: Views) -> None:
        self.weight, self.bias = values["weight"], values["bias"]
        self.weight_slope, self.bias_slope = slopes["weight"], slopes["bias"]
        self.large = self.weight.numel() >= LARGE

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, o)."""
        self.inputs = inputs
        if self.large:
            return torch.addmm(self.bias.unsqueeze(1), self.weight, inputs.t()).t()
        return torch.addmm(self.bias, inputs, self.weight.t())

    def backward(self, slope: Tensor, *, first: bool) -> Tensor | None:
        """(n, i)."""
        torch.mm(slope.t(), self.inputs, out=self.weight_slope)
        torch.sum(slope, 0, out=self.bias_slope)
        return None if first else torch.mm(slope, self.weight)


class ConvWork:
    """Inputs (n, c, h, w), outputs (n, o, h', w'), both channels last."""

    def __init__(self, layer: Conv2d, values: Views, slopes: Views) -> None:
        self.weight, self.bias, self.padding = values["weight"], values["bias"], layer.padding
        self.weight_slope, self.bias_slope = slopes["weight"], slopes["bias"]

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, o, h', w')."""
        self.inputs = _channels_last(inputs)
        return conv2d(self.inputs, self.weight, self.bias, padding=self.padding)

    def backward(self, slope: Tensor, *, first: bool) -> Tensor | None:
        """(n, c, h, w)."""
        pads, needed = [self.padding, self.padding], [not first, True, True]
        found = aten.convolution_backward.default(
            slope, self.inputs, self.weight, [len(self.bias)], [1, 1], pads, [1, 1], False, [0, 0], 1, needed
        )
        self.weight_slope.copy_(found[1])
        self.bias_slope.copy_(found[2])
        inputs: Tensor | None = found[0]
        return inputs


def _channels_last(images: Tensor) -> Tensor:
    """The images with the channel as the fastest axis, said in a way that one channel is not mistaken for the other order."""
    if images.shape[1] > 1:
        return images.contiguous(memory_format=torch.channels_last)
    _, _, height, width = images.shape
    return images.contiguous().as_strided(images.shape, (height * width, 1, width, 1))


class PoolWork:
    """Inputs (n, c, h, w), outputs (n, c, h / size, w / size)."""

    def __init__(self, size: int) -> None:
        self.size = [size, size]

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, c, h / size, w / size)."""
        self.inputs = inputs
        outputs: Tensor
        outputs, self.places = aten.max_pool2d_with_indices.default(inputs, self.size, self.size)
        return outputs

    def backward(self, slope: Tensor, *, first: bool) -> Tensor | None:  # noqa: ARG002
        """(n, c, h, w)."""
        found: Tensor = aten.max_pool2d_with_indices_backward.default(
            slope, self.inputs, self.size, self.size, [0, 0], [1, 1], False, self.places
        )
        return found


class ReluWork:
    """Any shape."""

    def forward(self, inputs: Tensor) -> Tensor:
        """The positive part."""
        self.outputs = torch.relu(inputs)
        return self.outputs

    def backward(self, slope: Tensor, *, first: bool) -> Tensor | None:  # noqa: ARG002
        """The slope where the output is positive."""
        found: Tensor = aten.threshold_backward.default(slope, self.outputs, 0)
        return found


class ShapeWork:
    """Only the shape of a sample changes."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def forward(self, inputs: Tensor) -> Tensor:
        """(n, *shape)."""
        self.inputs_shape = inputs.shape
        return inputs.reshape(-1, *self.shape)

    def backward(self, slope: Tensor, *, first: bool) -> Tensor | None:  # noqa: ARG002
        """The slope in the inputs' shape."""
        return slope.reshape(self.inputs_shape)


def _work(layer: Layer, shape: tuple[int, ...], values: Views, slopes: Views) -> Work:
    match layer:
        case Linear():
            return LinearWork(values, slopes)
        case Conv2d():
            return ConvWork(layer, values, slopes)
        case MaxPool2d(size):
            return PoolWork(size)
        case Relu():
            return ReluWork()
        case _:
            return ShapeWork(layer.output(shape))


class StackReplica:
    """A built-in model of linear, convolutional, pooling and ReLU layers; see `Replica`."""

    least = 1

    def __init__(self, network: Network, device: str) -> None:
        layout = network.layout
        self.vector = torch.zeros(layout.size, device=device)
        self.parameters = self.vector
        self.gradient = torch.zeros(layout.size, device=device)
        values, slopes = layout.views(self.vector), layout.views(self.gradient)
        self.work = []
        for at in network.stack:
            names = at.layer.parameters(at.shape)
            own = [{name: views[f"{at.name}.{name}"] for name in names} for views in (values, slopes)]
            self.work.append(_work(at.layer, at.shape, *own))
        self._first = next(place for place, at in enumerate(network.stack) if at.layer.parameters(at.shape))

    @staticmethod
    def can(network: Network) -> bool:
        """Whether all layers are of the kinds written out here."""
        known = (Linear, Conv2d, MaxPool2d, Relu, Flatten, Channels)
        return bool(network.stack) and all(isinstance(at.layer, known) for at in network.stack)

    def load(self, values: Tensor) -> None:
        """Takes on the values (d,)."""
        self.vector.copy_(values)

    def outputs(self, inputs: Tensor) -> Tensor:
        """What the model gives (n, k)."""
        for layer in self.work:
            inputs = layer.forward(inputs)
        return inputs

    def differentiate(self, inputs: Tensor, targets: Tensor, loss: "Loss") -> Tensor:
        """The loss of the batch, a scalar; `gradient` then holds its gradient."""
        value, slope = loss.gradient(self.outputs(inputs), targets)
        for place in range(len(self.work) - 1, self._first - 1, -1):
            found = self.work[place].backward(slope, first=place == self._first)
            if found is not None:
                slope = found
        return value

    def settle(self) -> None:
        """Nothing: no layer has statistics."""
