import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, r2_score

from coterie.learning import losses, metrics
from learning import own_code


def automatic(loss, outputs, targets):
    leaf = outputs.clone().requires_grad_()
    value = loss.mean(leaf, targets)
    value.backward()
    return value.detach(), leaf.grad


@given(st.integers(1, 8), st.integers(2, 6), st.floats(0.1, 30))
def test_cross_entropy_gradient_is_the_automatic_one(count, classes, scale):
    outputs, targets = torch.randn(count, classes) * scale, torch.randint(0, classes, (count,))
    before, loss = outputs.clone(), losses.CrossEntropy()
    for ours, theirs in zip(loss.gradient(outputs, targets), automatic(loss, outputs, targets), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert (outputs == before).all()
    torch.testing.assert_close(loss.each(outputs, targets).mean(), loss.mean(outputs, targets))


@given(st.integers(1, 200), st.integers(2, 20))
def test_cross_entropy_of_each_sample_is_torchs(count, classes):
    outputs, targets = torch.randn(count, classes), torch.randint(0, classes, (count,))
    wanted = torch.nn.functional.cross_entropy(outputs, targets, reduction="none")
    torch.testing.assert_close(losses.CrossEntropy().each(outputs, targets), wanted)


@given(st.integers(1, 70), st.integers(1, 5), st.integers(2, 20))
def test_the_slopes_of_many_models_are_those_of_each_to_the_bit(models, count, classes):
    loss, outputs, targets = losses.CrossEntropy(), torch.randn(1, count, classes), torch.randint(0, classes, (1, count))
    each, slopes = loss.slopes(outputs.repeat(models, 1, 1), targets.repeat(models, 1))
    leaf = outputs[0].clone().requires_grad_()
    loss.each(leaf, targets[0]).sum().backward()
    torch.testing.assert_close(each[0], loss.each(outputs[0], targets[0]))
    torch.testing.assert_close(slopes[0], leaf.grad)
    assert (each == each[0]).all()  # in whatever place
    assert (slopes == slopes[0]).all()


@given(st.integers(1, 8))
def test_squared_error_gradient_is_the_automatic_one(count):
    loss, outputs, targets = losses.SquaredError(), torch.randn(count, 1), torch.randn(count)
    for ours, theirs in zip(loss.gradient(outputs, targets), automatic(loss, outputs, targets), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_squared_error_by_hand_does_not_broadcast():
    loss = losses.SquaredError()
    assert loss.mean(torch.tensor([[1.0], [5.0]]), torch.tensor([0.0, 2.0])) == 5
    assert loss.gradient(torch.tensor([[1.0], [5.0]]), torch.tensor([0.0, 2.0]))[1].tolist() == [[1.0], [3.0]]


@pytest.mark.parametrize("function", [own_code.half_loss, own_code.loss_of_each])
def test_own_losses_may_be_a_mean_or_one_value_a_sample(function):
    loss, outputs, targets = losses.Own(function), torch.randn(4, 3), torch.randint(0, 3, (4,))
    for ours, theirs in zip(loss.gradient(outputs, targets), automatic(loss, outputs, targets), strict=True):
        torch.testing.assert_close(ours, theirs)
    each = loss.each(outputs, targets)
    assert (each is None) == (function is own_code.half_loss)


def test_metrics_are_scikit_learns():
    outputs, targets = torch.randn(50, 3), torch.randint(0, 3, (50,))
    assert metrics.Accuracy()(outputs, targets) == pytest.approx(accuracy_score(targets, outputs.argmax(1)))
    outputs, targets = torch.randn(50, 1), torch.randn(50)
    assert metrics.R2()(outputs, targets) == pytest.approx(r2_score(targets, outputs[:, 0]), rel=1e-5)


def test_r2_of_equal_targets():
    assert metrics.R2()(torch.ones(3, 1), torch.ones(3)) == 1
    assert metrics.R2()(torch.zeros(3, 1), torch.ones(3)) == 0
