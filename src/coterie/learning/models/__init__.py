"""Built-in models: torch-free functions `(features, outputs, *, parameters) -> layers`.

features: the shape of one sample; outputs: how many numbers the model gives for it (classes, or 1 for a regression).
"""

from collections.abc import Callable

from coterie.core.registry import Registry
from coterie.learning.layers import Layer

MODELS: Registry[Callable[..., tuple[Layer, ...]]] = Registry("model", home="coterie.learning.models")
model = MODELS.register
