import pytest
import torch

from coterie.core.errors import ScenarioError
from coterie.learning.optimizers import OPTIMIZERS, Adam, Sgd
from coterie.learning.training import clip

CASES = {
    "sgd": (Sgd(0.1), lambda p: torch.optim.SGD(p, 0.1)),
    "momentum": (Sgd(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9)),
    "weight decay": (Sgd(0.1, weight_decay=0.01), lambda p: torch.optim.SGD(p, 0.1, weight_decay=0.01)),
    "both": (Sgd(0.1, 0.9, weight_decay=0.01), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01)),
    "nesterov": (Sgd(0.1, 0.9, True, 0.01), lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.01, nesterov=True)),
    "adam": (Adam(0.01), lambda p: torch.optim.Adam(p, 0.01)),
    "adam, own settings": (Adam(0.01, 0.8, 0.9, 1e-3, 0.1), lambda p: torch.optim.Adam(p, 0.01, (0.8, 0.9), 1e-3, 0.1)),
    "adamw": (Adam(0.01, weight_decay=0.1, decoupled=True), lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("largest", [None, 0.7])
def test_twenty_steps_equal_torchs(case, largest):
    ours, make = CASES[case]
    torch.manual_seed(0)
    mine, theirs = torch.randn(13), None
    theirs = torch.nn.Parameter(mine.clone())
    peer, state = make([theirs]), [torch.zeros(13) for _ in range(ours.slots)]
    for count in range(1, 21):
        rate = ours.learning_rate / count
        gradient = torch.randn(13)
        theirs.grad = gradient.clone()
        if largest is not None:
            torch.nn.utils.clip_grad_norm_([theirs], largest)
            clip(gradient, largest)
        peer.param_groups[0]["lr"] = rate
        peer.step()
        ours.step(mine, gradient, state, rate, count)
        torch.testing.assert_close(mine, theirs.detach(), rtol=1e-6, atol=1e-7)


def test_clipping_leaves_small_gradients_alone():
    gradient = torch.tensor([3.0, 4.0])
    clip(gradient, 10.0)
    assert gradient.tolist() == [3.0, 4.0]
    clip(gradient, 1.0)
    assert gradient.norm().item() == pytest.approx(1, abs=1e-5)


def test_nesterov_without_momentum_is_refused():
    with pytest.raises(ScenarioError, match="momentum"):
        Sgd(nesterov=True)


@pytest.mark.parametrize("params", [{"learning_rate": 0}, {"learning_rate": -1}, {"momentum": 1}, {"weight_decay": -1}, {"momentun": 0.9}])
def test_impossible_settings_are_refused(params):
    with pytest.raises(ScenarioError):
        OPTIMIZERS.entry("sgd").check(params)
