from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
import torchvision
from mmcv.ops import SigmoidFocalLoss, sigmoid_focal_loss

CLASSES = 4
TARGET = torch.tensor([0, 3, 1, CLASSES, 2, CLASSES, 0])  # CLASSES is background


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("alpha", [0.25, 0.7])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
def test_matches_torchvision(gamma: float, alpha: float, reduction: str, rng: torch.Generator) -> None:
    logits = torch.randn(len(TARGET), CLASSES, dtype=torch.float64, generator=rng, requires_grad=True)
    loss = SigmoidFocalLoss(gamma, alpha, reduction=reduction)(logits, TARGET)
    one_hot = F.one_hot(TARGET, CLASSES + 1)[:, :CLASSES].double()
    expected = torchvision.ops.sigmoid_focal_loss(logits, one_hot, alpha, gamma)
    if reduction != "none":  # mmcv's mean is over the samples, not over the logits
        expected = expected.sum() / (len(TARGET) if reduction == "mean" else 1)
    torch.testing.assert_close(loss, expected)
    gradient, expected_gradient = (torch.autograd.grad(value.sum(), logits)[0] for value in (loss, expected))
    torch.testing.assert_close(gradient, expected_gradient)


def test_gradcheck_with_class_weights(rng: torch.Generator) -> None:
    logits = torch.randn(len(TARGET), CLASSES, dtype=torch.float64, generator=rng, requires_grad=True)
    weight = torch.rand(CLASSES, dtype=torch.float64, generator=rng)
    assert torch.autograd.gradcheck(lambda x: sigmoid_focal_loss(x, TARGET, 2.0, 0.3, weight, "none"), logits)


def test_class_weights_weigh_the_samples_of_a_class(rng: torch.Generator) -> None:
    logits = torch.randn(len(TARGET), CLASSES, generator=rng)
    weight = torch.tensor([0.5, 2.0, 3.0, 0.0])
    plain = sigmoid_focal_loss(logits, TARGET, 2.0, 0.25, None, "none")
    weighted = sigmoid_focal_loss(logits, TARGET, 2.0, 0.25, weight, "none")
    expected = torch.tensor([0.5, 0.0, 2.0, 1.0, 3.0, 1.0, 0.5])  # background counts 1
    torch.testing.assert_close(weighted, plain * expected[:, None])


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_stays_finite_far_from_zero(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = sigmoid_focal_loss(logits, torch.tensor([0, 0]), gamma, 0.25, None, "none")
    loss.sum().backward()
    torch.testing.assert_close(loss, torch.tensor([[0.0, 0.0], [0.25 * 200, 0.75 * 200]]))
    torch.testing.assert_close(logits.grad, torch.tensor([[0.0, 0.0], [-0.25, 0.75]]))


def test_no_samples() -> None:
    logits = torch.zeros(0, CLASSES, requires_grad=True)
    loss = sigmoid_focal_loss(logits, torch.zeros(0, dtype=torch.long), 2.0, 0.25, None, "none")
    assert loss.shape == (0, CLASSES)
    loss.sum().backward()
    assert logits.grad.shape == (0, CLASSES)
