"""A multilayer perceptron."""

from coterie.core.bounds import Count
from coterie.learning.layers import Flatten, Layer, Linear, Relu, Shape
from coterie.learning.models import model


@model()
def mlp(features: Shape, outputs: int, *, hidden: tuple[Count, ...] = (64,)) -> tuple[Layer, ...]:
    """Linear layers of `hidden` units with ReLU between them."""
    layers: list[Layer] = [Flatten()] if len(features) != 1 else []
    for units in hidden:
        layers += [Linear(units), Relu()]
    return (*layers, Linear(outputs))
