"""The next-character model of the federated averaging paper, as LEAF has it.

McMahan et al. 2017, https://arxiv.org/abs/1602.05629, and Caldas et al. 2018, "LEAF", https://arxiv.org/abs/1812.01097: characters
embedded in 8 dimensions, two LSTM layers of 256 units, one dense layer on the last state.
"""

from coterie.core.bounds import Count
from coterie.learning.layers import Embedding, Layer, Linear, Lstm, Shape
from coterie.learning.models import model


@model("char-lstm")
def char_lstm(
    features: Shape,  # noqa: ARG001 - the length of a sequence leaves the parameters alone
    outputs: int,
    *,
    embedding: Count = 8,
    hidden: Count = 256,
    layers: Count = 2,
    vocabulary: Count | None = None,
) -> tuple[Layer, ...]:
    """Predicts the next token of a sequence; `vocabulary` defaults to the number of outputs."""
    return (Embedding(vocabulary or outputs, embedding), Lstm(hidden, layers), Linear(outputs))
