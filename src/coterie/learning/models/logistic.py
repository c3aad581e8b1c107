"""Multinomial logistic regression; linear regression where the task has a single output."""

from coterie.learning.layers import Flatten, Layer, Linear, Shape
from coterie.learning.models import model


@model()
def logistic(features: Shape, outputs: int) -> tuple[Layer, ...]:
    """One linear layer: logistic regression for classes, linear regression for numbers."""
    return (*([Flatten()] if len(features) != 1 else []), Linear(outputs))
