"""The SupCon loss against its definition and its peers."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from pytorch_metric_learning.losses import SupConLoss

from trainables.losses.nt_xent import nt_xent
from trainables.losses.supcon import supcon


def supcon_by_definition(z, y, temperature):
    """The paper's formula, one scalar at a time."""
    losses = []
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        weight = {k: math.exp(F.cosine_similarity(z[i], z[k], dim=0) / temperature) for k in others}
        own_class = [k for k in others if y[k] == y[i]]
        surprises = [-math.log(weight[k] / sum(weight.values())) for k in own_class]
        losses.append(sum(surprises) / len(surprises))
    return sum(losses) / len(losses)


@st.composite
def labelled_embeddings(draw):
    """Float64 embeddings of classes of two to four."""
    sizes = draw(st.lists(st.integers(2, 4), min_size=2, max_size=4))
    labels = torch.tensor([label for label, size in enumerate(sizes) for _ in range(size)])
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return torch.randn(len(labels), 5, generator=generator, dtype=torch.float64), labels


@given(labelled_embeddings(), st.floats(0.05, 5.0))
def test_equals_the_definition_and_pytorch_metric_learning(batch, temperature):
    z, y = batch
    loss = supcon(z, y, temperature=temperature)
    assert loss.item() == pytest.approx(supcon_by_definition(z, y, temperature), abs=1e-9)
    torch.testing.assert_close(loss, SupConLoss(temperature=temperature)(z, y), atol=1e-9, rtol=0)


@pytest.mark.parametrize("num_views", [2, 3])
def test_of_images_as_classes_it_is_nt_xent_per_positive(num_views):
    torch.manual_seed(0)
    views = torch.randn(num_views, 6, 4, dtype=torch.float64)
    loss = supcon(views.flatten(0, 1), torch.arange(6).repeat(num_views), temperature=0.5)
    expected = nt_xent(views, temperature=0.5) / (num_views - 1)
    torch.testing.assert_close(loss, expected, atol=1e-12, rtol=0)


def test_an_embedding_alone_in_its_class_counts_as_zero():
    z = torch.randn(5, 4, dtype=torch.float64)
    y = torch.tensor([0, 0, 1, 1, 2])
    alone = torch.ones(5, dtype=torch.float64)
    alone[4] = 0
    cosines = F.normalize(z, dim=1) @ F.normalize(z, dim=1).T
    partner = torch.tensor([1, 0, 3, 2, 4])
    surprise = -cosines.fill_diagonal_(-torch.inf).log_softmax(dim=1)[torch.arange(5), partner]
    expected = surprise[:4].sum() / 5
    torch.testing.assert_close(supcon(z, y, temperature=1.0), expected, atol=1e-12, rtol=0)


def test_gradient_matches_finite_differences():
    torch.manual_seed(0)
    z = torch.randn(7, 4, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 0, 1, 1, 1, 2, 3])
    assert torch.autograd.gradcheck(lambda z: supcon(z, y, temperature=0.5), z)
