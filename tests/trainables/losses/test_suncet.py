"""The SuNCEt loss against its definition and its symmetries."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import NCALoss, SupConLoss

from trainables.losses.nt_xent import nt_xent
from trainables.losses.suncet import suncet


def suncet_by_definition(z, y, temperature):
    """The paper's formula, one scalar at a time: slow and plainly right."""
    losses = []
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        weight = {k: math.exp(F.cosine_similarity(z[i], z[k], dim=0) / temperature) for k in others}
        own_class = sum(weight[k] for k in others if y[k] == y[i])
        losses.append(-math.log(own_class / sum(weight.values())))
    return sum(losses) / len(losses)


@st.composite
def labelled_embeddings(draw):
    """Float64 embeddings in which every class occurs at least twice."""
    num_classes, per_class = draw(st.integers(1, 4)), draw(st.integers(2, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    size = (num_classes * per_class, draw(st.integers(2, 8)))
    z = torch.randn(size, generator=generator, dtype=torch.float64)
    return z, torch.arange(num_classes).repeat(per_class)


@given(labelled_embeddings(), st.floats(0.05, 5.0))
def test_equals_the_definition(batch, temperature):
    z, y = batch
    expected = suncet_by_definition(z, y, temperature)
    assert suncet(z, y, temperature=temperature).item() == pytest.approx(expected, abs=1e-9)


@given(labelled_embeddings(), st.floats(0.05, 5.0))
def test_is_pytorch_metric_learnings_nca_on_the_sphere(batch, temperature):
    z, y = batch
    peer = NCALoss(
        softmax_scale=1 / (2 * temperature),
        distance=LpDistance(normalize_embeddings=True, p=2, power=2),
    )
    torch.testing.assert_close(suncet(z, y, temperature=temperature), peer(z, y), atol=1e-9, rtol=0)


def test_is_nt_xent_when_an_image_and_its_view_are_the_class():
    torch.manual_seed(0)
    views = torch.randn(2, 6, 4, dtype=torch.float64)
    image = torch.arange(6).repeat(2)
    torch.testing.assert_close(
        suncet(views.flatten(0, 1), image, temperature=0.5),
        nt_xent(views, temperature=0.5),
        atol=1e-12,
        rtol=0,
    )


def test_is_below_supcon_which_takes_the_logarithm_inside_the_sum():
    torch.manual_seed(0)
    z, y = torch.randn(28, 8, dtype=torch.float64), torch.arange(4).repeat(7)
    assert suncet(z, y, temperature=0.5) < SupConLoss(temperature=0.5)(z, y) - 1


@given(labelled_embeddings(), st.floats(1e-3, 1e3))
def test_ignores_embedding_length(batch, length):
    z, y = batch
    torch.testing.assert_close(
        suncet(length * z, y, temperature=0.1), suncet(z, y, temperature=0.1)
    )


@given(labelled_embeddings(), st.integers(0, 99))
def test_ignores_the_order_of_the_rows_and_is_never_negative(batch, seed):
    z, y = batch
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    loss = suncet(z, y, temperature=0.1)
    torch.testing.assert_close(suncet(z[order], y[order], temperature=0.1), loss)
    assert loss >= -1e-12  # it would be, were an embedding in its own class


def test_equal_embeddings_leave_the_share_of_the_class():
    z, y = torch.ones(280, 16, dtype=torch.float64), torch.arange(10).repeat(28)
    assert suncet(z, y, temperature=0.5).item() == pytest.approx(-math.log(27 / 279), abs=1e-12)


def test_is_zero_when_there_is_only_one_class():
    labels = torch.zeros(6, dtype=torch.int64)
    assert suncet(torch.randn(6, 8), labels, temperature=0.1).item() == pytest.approx(0, abs=1e-6)


def test_is_infinite_for_a_class_seen_once():
    labels = torch.tensor([0, 0, 1])
    assert suncet(torch.randn(3, 8), labels, temperature=0.1).isinf()


def test_is_finite_where_exponentials_overflow():
    z = torch.randn(6, 4, requires_grad=True)
    loss = suncet(z, torch.tensor([0, 1, 2]).repeat(2), temperature=1e-3)
    loss.backward()
    assert loss.isfinite()
    assert z.grad.isfinite().all()


def test_gradient_matches_finite_differences():
    torch.manual_seed(0)
    z = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 0, 1, 1, 2, 2])
    assert torch.autograd.gradcheck(lambda z: suncet(z, y, temperature=0.5), z)
