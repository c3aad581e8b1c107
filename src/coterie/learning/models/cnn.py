"""The two-convolution network of the federated averaging paper.

McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data", https://arxiv.org/abs/1602.05629:
5x5 convolutions of 32 and 64 channels, each with 2x2 max-pooling, a dense layer of 512; 1,663,370 parameters on MNIST.
"""

from coterie.core.bounds import Count
from coterie.learning.layers import Channels, Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu, Shape
from coterie.learning.models import model


@model()
def cnn(
    features: Shape,
    outputs: int,
    *,
    channels: tuple[Count, ...] = (32, 64),
    kernel: Count = 5,
    pooling: Count = 2,
    hidden: tuple[Count, ...] = (512,),
    same_padding: bool = True,
) -> tuple[Layer, ...]:
    """Convolutions with max-pooling and ReLU, then dense layers: by default the FedAvg paper's network.

    Pooling comes before ReLU, which is the same function (both keep order) on a quarter of the numbers.
    """
    layers: list[Layer] = [Channels()] if len(features) != 3 else []
    for count in channels:
        layers += [Conv2d(count, kernel, same_padding), MaxPool2d(pooling), Relu()]
    layers.append(Flatten())
    for units in hidden:
        layers += [Linear(units), Relu()]
    return (*layers, Linear(outputs))
