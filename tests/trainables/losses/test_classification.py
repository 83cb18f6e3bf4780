"""Cross-entropy and accuracy of classes."""

import math

import pytest
import torch

from trainables.losses.classification import accuracy, cross_entropies, loss_and_accuracy

LOGITS = torch.tensor([[math.log(3), 0.0], [0.0, math.log(7)], [0.0, math.log(3)]])
LABELS = torch.tensor([0, 1, 0])
EACH = [math.log(4 / 3), math.log(8 / 7), math.log(4)]  # of shares 3/4, 7/8 and 1/4


def test_each_row_has_its_own_cross_entropy():
    assert cross_entropies(LOGITS, LABELS).tolist() == pytest.approx(EACH)


def test_loss_is_their_mean_and_two_of_three_are_right():
    loss, right = loss_and_accuracy(LOGITS, LABELS)
    assert loss.item() == pytest.approx(sum(EACH) / 3)
    assert right.item() == accuracy(LOGITS, LABELS).item() == pytest.approx(2 / 3)


def test_the_gradient_is_shares_less_labels():
    logits = LOGITS.clone().requires_grad_()
    loss_and_accuracy(logits, LABELS)[0].backward()
    shares = [[-0.25, 0.25], [0.125, -0.125], [-0.75, 0.75]]
    assert logits.grad.tolist() == [pytest.approx([value / 3 for value in row]) for row in shares]
