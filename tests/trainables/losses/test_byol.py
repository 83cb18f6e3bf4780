"""BYOL's, MSR's and SimSiam's losses against their formulas."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from lightly.loss import NegativeCosineSimilarity

from trainables.losses.byol import byol, msr
from trainables.losses.simsiam import simsiam


def random_pair(seed):
    generator = torch.Generator().manual_seed(seed)
    pair = torch.randn(2, 2, 5, 3, generator=generator, dtype=torch.float64)
    return pair[0].requires_grad_(), pair[1].requires_grad_()


def distance(u, v):
    """Return |u/|u| - v/|v||^2, one scalar at a time."""
    u_length, v_length = math.hypot(*u.tolist()), math.hypot(*v.tolist())
    return sum(
        (a / u_length - b / v_length) ** 2 for a, b in zip(u.tolist(), v.tolist(), strict=True)
    )


def msr_by_definition(q, z, beta):
    rows = q.shape[1]
    weak = sum(distance(q[0, i], z[1, i]) + distance(q[1, i], z[0, i]) for i in range(rows))
    aggressive = sum(2 * distance(q[0, i], q[1, i]) for i in range(rows))
    return ((1 - beta) * weak + beta * aggressive) / rows


def gradient(loss, tensor):
    return torch.autograd.grad(loss, tensor)[0]


@given(st.integers(0, 999), st.floats(0, 1))
def test_msr_equals_the_definition(seed, beta):
    q, z = random_pair(seed)
    expected = msr_by_definition(q, z, beta)
    for stop_gradient in (True, False):
        loss = msr(q, z, beta=beta, stop_gradient=stop_gradient)
        assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_byol_equals_the_definition():
    q, z = random_pair(0)
    assert byol(q, z).item() == pytest.approx(msr_by_definition(q, z, 0), abs=1e-12)


def test_msr_at_beta_zero_is_byol_bit_for_bit():
    q, z = random_pair(0)
    assert msr(q, z, beta=0.0).item() == byol(q, z).item()
    assert torch.equal(gradient(msr(q, z, beta=0.0), q), gradient(byol(q, z), q))


def test_msr_at_beta_one_does_not_see_the_weak_views():
    (q, z), (_, other) = random_pair(0), random_pair(1)
    assert msr(q, z, beta=1.0).item() == msr(q, other, beta=1.0).item()
    assert torch.equal(gradient(msr(q, z, beta=1.0), q), gradient(msr(q, other, beta=1.0), q))


def test_without_stop_gradient_the_aggressive_pairs_gradient_doubles():
    q, z = random_pair(0)
    stopped, whole = (
        gradient(msr(q, z, beta=1.0, stop_gradient=stop), q) for stop in (True, False)
    )
    torch.testing.assert_close(whole, 2 * stopped, atol=1e-12, rtol=0)


@pytest.mark.parametrize("loss", [byol, simsiam, lambda q, z: msr(q, z, beta=0.3)])
def test_no_gradient_reaches_the_targets(loss):
    q, z = random_pair(0)
    of_q, of_z = torch.autograd.grad(loss(q, z), (q, z), allow_unused=True)
    assert of_q.abs().sum() > 0
    assert of_z is None


@pytest.mark.parametrize("loss", [byol, simsiam])
def test_gradient_matches_finite_differences(loss):
    q, z = random_pair(0)
    assert torch.autograd.gradcheck(lambda q: loss(q, z.detach()), q)


def test_ends_of_the_range():
    q, _ = random_pair(0)
    assert byol(q, q.flip(0)).item() == pytest.approx(0, abs=1e-12)
    assert byol(q, -q.flip(0)).item() == pytest.approx(8, abs=1e-12)
    assert msr(q, q.flip(0), beta=0.0).item() == pytest.approx(0, abs=1e-12)
    assert simsiam(q, q.flip(0)).item() == pytest.approx(-1, abs=1e-12)
    assert simsiam(q, -q.flip(0)).item() == pytest.approx(1, abs=1e-12)


def test_simsiam_is_lightlys_symmetrised():
    p, z = random_pair(0)
    peer = NegativeCosineSimilarity()
    expected = (peer(p[0], z[1]) + peer(p[1], z[0])) / 2
    torch.testing.assert_close(simsiam(p, z), expected, atol=1e-12, rtol=0)


def test_byol_is_simsiam_stretched():
    q, z = random_pair(0)
    torch.testing.assert_close(byol(q, z), 4 + 4 * simsiam(q, z), atol=1e-12, rtol=0)


def test_byol_is_the_mean_squared_error_of_unit_vectors():
    q, z = random_pair(0)
    unit_q, unit_z = F.normalize(q, dim=2), F.normalize(z, dim=2).flip(0)
    expected = (unit_q - unit_z).square().sum(dim=2).sum(dim=0).mean()
    torch.testing.assert_close(byol(q, z), expected, atol=1e-12, rtol=0)
