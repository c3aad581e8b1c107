"""What a user may write: modules, losses, metrics, training functions."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Normed(nn.Module):
    """Batch normalisation (with a whole-number counter), a frozen layer, a constant that is no part of the model."""

    def __init__(self, features, outputs, width=5):
        super().__init__()
        self.first = nn.Linear(features[0], width)
        self.norm = nn.BatchNorm1d(width, momentum=None)
        self.frozen = nn.Linear(width, width).requires_grad_(False)
        self.last = nn.Linear(width, outputs)
        self.register_buffer("constant", torch.ones(width), persistent=False)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        if self.training:
            self.seen = self.seen + len(x)
            self.constant.mul_(1.5)
        return self.last(torch.relu(self.frozen(self.norm(self.first(x)))) * self.constant)


class Tied(nn.Module):
    """Two layers that share one weight."""

    def __init__(self, features):
        super().__init__()
        self.one = nn.Linear(features[0], features[0], bias=False)
        self.two = nn.Linear(features[0], features[0], bias=False)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.two(torch.tanh(self.one(x)))


class Dropped(nn.Module):
    """Dropout: random numbers of torch's own."""

    def __init__(self, features, outputs):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features[0], 20), nn.ReLU(), nn.Dropout(0.5), nn.Linear(20, outputs))

    def forward(self, x):
        return self.layers(x)


class Plain(nn.Module):
    """One linear layer."""

    def __init__(self, features, outputs):
        super().__init__()
        self.layer = nn.Linear(features[0], outputs)

    def forward(self, x):
        return self.layer(x)


class Wide(Plain):
    """Gives one output too many."""

    def __init__(self, features, outputs):
        super().__init__(features, outputs + 1)


class Stiff(Plain):
    """Has nothing to train."""

    def __init__(self, features, outputs):
        super().__init__(features, outputs)
        self.requires_grad_(False)


def not_a_module(features):
    return 3


not_callable = 3


def half_loss(outputs, targets):
    return cross_entropy(outputs, targets) / 2


def loss_of_each(outputs, targets):
    return cross_entropy(outputs, targets, reduction="none")


def confidence(outputs, targets):
    return outputs.softmax(1).max(1).values.mean()


def training(model, data, context):
    """Plain SGD over the batches of the context, as a user would write it."""
    optimizer = torch.optim.SGD(model.parameters(), lr=context.learning_rate)
    last = 0.0
    for inputs, targets in context.batches(data):
        optimizer.zero_grad()
        loss = context.loss(model(inputs), targets)
        loss.backward()
        optimizer.step()
        last = loss.item()
    return model, len(data), {"last_loss": last, "round_seen": context.round}


def rebinds(model, data, context):
    """Puts other tensors in the places of the model's own."""
    state = {name: value + 1 for name, value in model.state_dict().items()}
    model.load_state_dict(state, assign=True)
    return model, len(data), {}


def another_model(model, data, context):
    other = nn.Linear(*reversed(model[0].weight.shape))
    nn.init.constant_(other.weight, context.node)
    nn.init.zeros_(other.bias)
    return nn.Sequential(__import__("collections").OrderedDict(linear1=other)), 1, {}


def forgets_the_rest(model, data, context):
    return model


def wrong_model(model, data, context):
    return nn.Linear(1, 1), 1, {}


def raises(model, data, context):
    raise ZeroDivisionError(f"on purpose at node {context.node}")
