# ruff: noqa: D102 - what a layer's methods give is said once, in Layer
"""Layers as data, known without torch: shapes, parameters, first values and cost of each.

Shapes are those of one sample. A layer infers its input size from the layer before it. First values follow PyTorch's
defaults (He et al. 2015 with a = √5, that is ±1/√fan-in, uniform), drawn with NumPy, so that a process without torch
knows the initial model.
"""

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from coterie.core.errors import ScenarioError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Parameter:
    """A trained tensor of a layer; its first values are uniform in ±bound, or standard normal where bound is 0."""

    shape: Shape
    bound: float

    def initial(self, draw: np.random.Generator) -> np.ndarray:
        """The first values, float32 of `shape`."""
        if not self.bound:
            return draw.standard_normal(self.shape, dtype=np.float32)
        return (draw.random(self.shape, dtype=np.float32) * np.float32(2) - np.float32(1)) * np.float32(self.bound)


class Layer(Protocol):
    """One layer of a model."""

    def output(self, shape: Shape) -> Shape:
        """The shape it makes of an input of `shape`; raises ScenarioError when such an input does not fit."""
        ...

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        """Its parameters by PyTorch's names, for inputs of `shape`."""
        ...

    def flops(self, shape: Shape) -> int:
        """Floating-point operations of the forward pass for one sample (a multiply-add counts two; products only)."""
        ...


class Plain:
    """A layer without parameters, whose cost is negligible."""

    def parameters(self, shape: Shape) -> dict[str, Parameter]:  # noqa: ARG002
        return {}

    def flops(self, shape: Shape) -> int:  # noqa: ARG002
        return 0


@dataclass(frozen=True)
class Flatten(Plain):
    """All numbers of a sample in one row."""

    def output(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True)
class Relu(Plain):
    """The positive part."""

    def output(self, shape: Shape) -> Shape:
        return shape


@dataclass(frozen=True)
class Channels(Plain):
    """Images without a channel axis get one: (height, width) becomes (1, height, width)."""

    def output(self, shape: Shape) -> Shape:
        if len(shape) not in {2, 3}:
            raise ScenarioError.at("task.model", f"needs images, a sample here has shape {shape}", "use logistic or mlp")
        return shape if len(shape) == 3 else (1, *shape)


@dataclass(frozen=True)
class MaxPool2d(Plain):
    """The maximum of each `size` by `size` block; a rest at the border is left out."""

    size: int

    def output(self, shape: Shape) -> Shape:
        channels, height, width = shape
        if min(height, width) < self.size:
            raise ScenarioError.at("task.model", f"images of {shape} are too small to be pooled by {self.size}", "use logistic or mlp")
        return channels, height // self.size, width // self.size


@dataclass(frozen=True)
class Linear:
    """A weighted sum of the inputs and a bias, for each of `outputs`."""

    outputs: int

    def output(self, shape: Shape) -> Shape:
        _rank("linear", shape, 1)
        return (self.outputs,)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        bound = 1 / math.sqrt(shape[0])
        return {"weight": Parameter((self.outputs, shape[0]), bound), "bias": Parameter((self.outputs,), bound)}

    def flops(self, shape: Shape) -> int:
        return 2 * shape[0] * self.outputs


@dataclass(frozen=True)
class Conv2d:
    """`outputs` filters of `kernel` by `kernel` (odd), stride 1; `same` padding keeps height and width."""

    outputs: int
    kernel: int
    same: bool = True

    @property
    def padding(self) -> int:
        """Rows and columns of zeros on each side."""
        return self.kernel // 2 if self.same else 0

    def output(self, shape: Shape) -> Shape:
        _rank("convolution", shape, 3)
        if self.same and self.kernel % 2 == 0:
            raise ScenarioError.at("task.model.kernel", f"a kernel of {self.kernel} cannot keep the image's size", "make it odd")
        lost = self.kernel - 1 - 2 * self.padding
        if min(shape[1:]) <= lost:
            raise ScenarioError.at("task.model.kernel", f"a kernel of {self.kernel} does not fit images of {shape}", "make it smaller")
        return self.outputs, shape[1] - lost, shape[2] - lost

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        weight = (self.outputs, shape[0], self.kernel, self.kernel)
        bound = 1 / math.sqrt(math.prod(weight[1:]))
        return {"weight": Parameter(weight, bound), "bias": Parameter((self.outputs,), bound)}

    def flops(self, shape: Shape) -> int:
        return 2 * shape[0] * self.kernel**2 * math.prod(self.output(shape))


@dataclass(frozen=True)
class Embedding:
    """A learnt vector of `size` numbers for each of `vocabulary` tokens."""

    vocabulary: int
    size: int

    def output(self, shape: Shape) -> Shape:
        _rank("embedding", shape, 1)
        return *shape, self.size

    def parameters(self, shape: Shape) -> dict[str, Parameter]:  # noqa: ARG002
        return {"weight": Parameter((self.vocabulary, self.size), 0.0)}

    def flops(self, shape: Shape) -> int:  # noqa: ARG002
        return 0


@dataclass(frozen=True)
class Lstm:
    """`layers` LSTMs of `hidden` units over a sequence (length, size); gives the last hidden state of the top one."""

    hidden: int
    layers: int

    def output(self, shape: Shape) -> Shape:
        _rank("recurrent layer", shape, 2)
        return (self.hidden,)

    def parameters(self, shape: Shape) -> dict[str, Parameter]:
        bound, gates, found = 1 / math.sqrt(self.hidden), 4 * self.hidden, {}
        for layer in range(self.layers):
            found[f"weight_ih_l{layer}"] = Parameter((gates, self.hidden if layer else shape[1]), bound)
            found[f"weight_hh_l{layer}"] = Parameter((gates, self.hidden), bound)
            found[f"bias_ih_l{layer}"] = Parameter((gates,), bound)
            found[f"bias_hh_l{layer}"] = Parameter((gates,), bound)
        return found

    def flops(self, shape: Shape) -> int:
        length, size = shape
        inputs = size + self.hidden * (2 * self.layers - 1)
        return 2 * length * 4 * self.hidden * inputs


def _rank(what: str, shape: Shape, wanted: int) -> None:
    if len(shape) != wanted:
        raise ScenarioError.at("task.model", f"its {what} needs samples of {wanted} axes, a sample here has shape {shape}")
