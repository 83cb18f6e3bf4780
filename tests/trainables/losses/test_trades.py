"""TRADES' loss against its definition."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from trainables.losses.trades import divergence_from, trades


def random_logits():
    torch.manual_seed(0)
    clean, attacked = torch.randn(2, 6, 4, dtype=torch.float64)
    return clean.requires_grad_(), attacked.requires_grad_(), torch.tensor([0, 1, 2, 3, 0, 1])


def probabilities(logits):
    weights = [math.exp(logit) for logit in logits.tolist()]
    return [weight / sum(weights) for weight in weights]


def entropies(logits):
    return [-sum(p * math.log(p) for p in probabilities(row)) for row in logits]


def test_divergence_is_the_definition_plus_the_entropy():
    clean, attacked, _ = random_logits()
    expected = [
        sum(p * math.log(p / q) for p, q in zip(probabilities(c), probabilities(a), strict=True))
        + h
        for c, a, h in zip(clean, attacked, entropies(clean), strict=True)
    ]
    assert divergence_from(clean)(attacked).tolist() == pytest.approx(expected, abs=1e-12)


def test_the_gradient_of_the_divergence_vanishes_where_nothing_was_attacked():
    clean, _, _ = random_logits()
    same = clean.detach().clone().requires_grad_()
    total = divergence_from(clean.detach())(same).sum()
    assert total.item() == pytest.approx(sum(entropies(clean)), abs=1e-12)
    assert torch.autograd.grad(total, same)[0].abs().max() < 1e-12


def test_loss_and_gradient_are_those_of_the_authors_expression():
    clean, attacked, labels = random_logits()
    kl = nn.KLDivLoss(reduction="sum")(F.log_softmax(attacked, dim=1), F.softmax(clean, dim=1))
    theirs = F.cross_entropy(clean, labels) + 6.0 * kl / len(labels)
    ours = trades(clean, attacked, labels, weight=6.0)
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    for mine, other in zip(
        torch.autograd.grad(ours, (clean, attacked)),
        torch.autograd.grad(theirs, (clean, attacked)),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, atol=1e-12, rtol=0)


def test_without_weight_it_is_cross_entropy():
    clean, attacked, labels = random_logits()
    assert trades(clean, attacked, labels, weight=0.0) == F.cross_entropy(clean, labels)


def test_is_finite_for_a_network_sure_of_opposite_classes():
    clean = torch.tensor([[1e4, 0.0]], requires_grad=True)
    attacked = torch.tensor([[0.0, 1e4]], requires_grad=True)
    loss = trades(clean, attacked, torch.tensor([0]), weight=6.0)
    loss.backward()
    assert loss.item() == pytest.approx(6e4)
    assert clean.grad.isfinite().all()
    assert attacked.grad.isfinite().all()
