"""What evaluation attacks raise, against the papers' formulas one image at a time."""

import math

import pytest
import torch
import torch.nn.functional as F

from trainables.attacks.objectives import DLR, CrossEntropy, Jitter, Margin, margin

LOGITS = torch.tensor([[1.0, 5.0, 3.0, -2.0, 0.5], [4.0, -1.0, 3.5, 2.0, 0.0]]).double()
LABELS = torch.tensor([1, 2])
TARGETS = torch.tensor([3, 4])
DELTA = torch.zeros(2, 1, 1, 1).double()


def test_the_margin_is_the_lead_of_the_likeliest_wrong_class():
    assert margin(LOGITS, LABELS).tolist() == [3.0 - 5.0, 4.0 - 3.5]
    assert Margin()(LOGITS, LABELS, TARGETS, DELTA).tolist() == [-2.0 - 5.0, 0.0 - 3.5]


def test_cross_entropy_is_of_the_label_or_minus_that_of_the_target():
    own = CrossEntropy()(LOGITS, LABELS, None, DELTA)
    torch.testing.assert_close(own, F.cross_entropy(LOGITS, LABELS, reduction="none"))
    towards = CrossEntropy()(LOGITS, LABELS, TARGETS, DELTA)
    torch.testing.assert_close(towards, -F.cross_entropy(LOGITS, TARGETS, reduction="none"))


def test_the_ratio_divides_by_the_spread_of_the_leading_logits():
    untargeted = DLR()(LOGITS, LABELS, None, DELTA)
    assert untargeted.tolist() == pytest.approx([-2 / (5 - 1), 0.5 / (4 - 2)])
    targeted = DLR()(LOGITS, LABELS, TARGETS, DELTA)
    spreads = [5 - (1 + 0.5) / 2, 4 - (2 + 0) / 2]
    assert targeted.tolist() == pytest.approx([-7 / spreads[0], -3.5 / spreads[1]])


def test_the_ratio_ignores_scale_and_shift():
    for targets in (None, TARGETS):
        plain = DLR()(LOGITS, LABELS, targets, DELTA)
        torch.testing.assert_close(DLR()(100 * LOGITS + 7, LABELS, targets, DELTA), plain)


@pytest.mark.parametrize("classes", [2, 3])
def test_with_few_classes_the_ratio_still_climbs_with_the_margin(classes):
    logits = LOGITS[:, :classes].clone().requires_grad_()
    labels, targets = torch.tensor([1, 0]), torch.tensor([0, 1])
    for aims in (None, targets):
        value = DLR()(logits, labels, aims, DELTA)
        (gradient,) = torch.autograd.grad(value.sum(), logits)
        assert value.isfinite().all()
        assert (gradient.gather(1, labels[:, None]) < 0).all()


def test_jitter_without_noise_is_its_formula():
    delta = torch.tensor([0.2, -0.1]).view(2, 1, 1, 1).double()
    expected = []
    for z, y, d in zip(LOGITS.tolist(), LABELS.tolist(), (0.2, 0.1), strict=True):
        top = max(abs(value) for value in z)
        weights = [math.exp(10 * value / top) for value in z]
        gaps = [w / sum(weights) - (k == y) for k, w in enumerate(weights)]
        distance = sum(gap**2 for gap in gaps) / len(z)
        expected.append(distance / d if max(z) != z[y] else distance)
    actual = Jitter(scale=10, noise=0)(LOGITS, LABELS, None, delta)
    assert actual.tolist() == pytest.approx(expected)


def test_jitter_of_an_unperturbed_image_is_finite():
    assert Jitter()(LOGITS, LABELS, None, DELTA).isfinite().all()


@pytest.mark.parametrize("objective", [CrossEntropy(), Margin(), DLR(), Jitter()])
def test_half_precision_logits_are_computed_in_single_precision(objective):
    torch.manual_seed(0)
    half = objective(LOGITS.bfloat16(), LABELS, None, DELTA.float())
    torch.manual_seed(0)
    assert half.dtype == torch.float32
    full = objective(LOGITS.bfloat16().float(), LABELS, None, DELTA.float())
    torch.testing.assert_close(half, full, atol=0, rtol=0)
