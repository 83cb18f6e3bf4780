"""Directions against torch's."""

import pytest
import torch
import torch.nn.functional as F

from trainables.losses.similarity import directions


@pytest.mark.parametrize("shape", [(5, 3), (2, 4, 7)], ids=str)
def test_directions_and_their_gradient_are_torchs(shape):
    rows = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(shape, dtype=torch.float64)
    ours, theirs = directions(rows), F.normalize(rows, dim=-1)
    assert torch.equal(ours, theirs)
    (mine,) = torch.autograd.grad((ours * weights).sum(), rows)
    (expected,) = torch.autograd.grad((theirs * weights).sum(), rows)
    torch.testing.assert_close(mine, expected, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(directions, rows)


def test_a_row_of_zeros_has_none_and_a_finite_gradient():
    rows = torch.zeros(2, 3, requires_grad=True)
    unit = directions(rows)
    unit.sum().backward()
    assert not unit.any()
    assert rows.grad.isfinite().all()


def test_they_are_float32_at_least():
    assert directions(torch.randn(2, 3, dtype=torch.bfloat16)).dtype == torch.float32
