"""NT-Xent of several views against its definition, its peers and its limits."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from lightly.loss import NTXentLoss as LightlyNTXent
from pytorch_metric_learning.losses import NTXentLoss as PmlNTXent
from pytorch_metric_learning.losses import SupConLoss

from trainables.losses.nt_xent import nt_xent


def nt_xent_by_definition(views, keys, first_row, temperature):
    """The formula, one scalar at a time; returns the loss of each anchor, (V, N)."""
    num_views, rows = views.shape[:2]

    def losses_of(v, i):
        own = first_row + i
        others = [(w, j) for w in range(num_views) for j in range(keys.shape[1])]
        others.remove((v, own))
        weight = {
            (w, j): math.exp(F.cosine_similarity(views[v, i], keys[w, j], dim=0) / temperature)
            for w, j in others
        }
        total = sum(weight.values())
        return sum(-math.log(weight[w, own] / total) for w in range(num_views) if w != v)

    return torch.tensor(
        [[losses_of(v, i) for i in range(rows)] for v in range(num_views)], dtype=torch.float64
    )


def random_views(num_views=2, rows=5, width=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(num_views, rows, width, generator=generator, dtype=torch.float64)


@st.composite
def views_and_keys(draw):
    """Keys of up to three ranks' worth of rows, and the anchors' place among them."""
    num_views, before, rows, after = (draw(st.integers(low, 3)) for low in (2, 0, 1, 0))
    keys = random_views(
        num_views, before + rows + after, draw(st.integers(2, 6)), draw(st.integers(0, 999))
    )
    return keys[:, before : before + rows], keys, before


@given(views_and_keys(), st.floats(0.05, 5.0))
def test_equals_the_definition(batch, temperature):
    views, keys, first_row = batch
    expected = nt_xent_by_definition(views, keys, first_row, temperature)
    actual = nt_xent(
        views, keys=keys, first_row=first_row, temperature=temperature, reduction="none"
    )
    torch.testing.assert_close(actual, expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("num_views", [2, 3])
def test_contrasts_with_the_anchors_themselves_when_no_keys_are_given(num_views):
    views = random_views(num_views)
    expected = nt_xent_by_definition(views, views, 0, 0.3).mean()
    torch.testing.assert_close(nt_xent(views, temperature=0.3), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("rows", [2, 7])
def test_two_views_equal_lightly_and_pytorch_metric_learning(rows, temperature):
    views = random_views(rows=rows)
    ours = nt_xent(views, temperature=temperature)
    image = torch.arange(rows).repeat(2)
    peers = (
        LightlyNTXent(temperature=temperature)(*views),
        PmlNTXent(temperature=temperature)(views.flatten(0, 1), image),
        SupConLoss(temperature=temperature)(views.flatten(0, 1), image),
    )
    for peer in peers:
        torch.testing.assert_close(peer, ours, atol=1e-12, rtol=0)


def test_three_views_are_twice_supcon_of_three_views():
    views = random_views(3)
    image = torch.arange(5).repeat(3)
    supcon = SupConLoss(temperature=0.5)(views.flatten(0, 1), image)
    torch.testing.assert_close(nt_xent(views, temperature=0.5), 2 * supcon, atol=1e-12, rtol=0)


@pytest.mark.parametrize("num_views", [2, 3])
@pytest.mark.parametrize("rows", [2, 9])
def test_identical_embeddings_leave_one_chance_in_all_others(num_views, rows):
    views = torch.ones(num_views, rows, 4, dtype=torch.float64)
    expected = (num_views - 1) * math.log(num_views * rows - 1)
    assert nt_xent(views, temperature=0.5).item() == pytest.approx(expected, abs=1e-12)


def test_one_image_alone_is_told_from_nobody():
    assert nt_xent(random_views(rows=1), temperature=0.5).item() == 0


@given(st.integers(0, 999), st.floats(1e-3, 1e3))
def test_ignores_order_of_images_order_of_views_length_and_rotation(seed, length):
    views = random_views(3, 6, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(6, generator=generator)
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64)).Q
    expected = nt_xent(views, temperature=0.2)
    for same in (views[:, order], views[[2, 0, 1]], length * views, views @ rotation):
        torch.testing.assert_close(nt_xent(same, temperature=0.2), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("num_views", [2, 3])
def test_small_temperature_leaves_the_margin_to_the_nearest_other(num_views):
    views = random_views(num_views)
    z = F.normalize(views.flatten(0, 1), dim=1)
    cosine = (z @ z.T).fill_diagonal_(-torch.inf)
    nearest = cosine.max(dim=1).values.view(num_views, 5)
    cosine = cosine.view(num_views, 5, num_views, 5)
    row = torch.arange(5)
    margins = sum(
        (nearest[v] - cosine[v, row, w, row]).mean() / num_views
        for v in range(num_views)
        for w in range(num_views)
        if v != w
    )
    temperature = 1e-6
    torch.testing.assert_close(
        temperature * nt_xent(views, temperature=temperature), margins, atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_is_finite_where_exponentials_overflow(dtype):
    views = random_views().to(dtype).requires_grad_()
    loss = nt_xent(views, temperature=1e-3)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert views.grad.isfinite().all()


@pytest.mark.parametrize("num_views", [2, 3])
def test_gradient_matches_finite_differences(num_views):
    views = random_views(num_views, 3, 3).requires_grad_()
    keys = random_views(num_views, 5, 3, seed=1).requires_grad_()

    def gathered(views, keys):
        return nt_xent(views, keys=keys, first_row=2, temperature=0.5)

    assert torch.autograd.gradcheck(lambda views: nt_xent(views, temperature=0.5), views)
    assert torch.autograd.gradcheck(gathered, (views, keys))


def gradient(views, temperature, detach_keys):
    views = views.clone().requires_grad_()
    keys = views.detach() if detach_keys else None
    (gradient,) = torch.autograd.grad(nt_xent(views, temperature=temperature, keys=keys), views)
    return gradient


def test_detached_keys_leave_the_gradient_of_the_anchors_part():
    views, frozen = random_views().requires_grad_(), random_views()
    anchors_part = nt_xent(views, keys=frozen, temperature=0.5)
    keys_part = nt_xent(frozen, keys=views, temperature=0.5)
    (of_anchors,) = torch.autograd.grad(anchors_part, views)
    (of_keys,) = torch.autograd.grad(keys_part, views)
    torch.testing.assert_close(gradient(frozen, 0.5, detach_keys=True), of_anchors)
    torch.testing.assert_close(gradient(frozen, 0.5, detach_keys=False), of_anchors + of_keys)


def test_detached_keys_halve_the_gradient_where_all_others_are_equally_likely():
    views = random_views(rows=32, width=16)
    whole = gradient(views, 1e5, detach_keys=False)
    torch.testing.assert_close(
        2 * gradient(views, 1e5, detach_keys=True), whole, rtol=1e-3, atol=1e-12
    )
