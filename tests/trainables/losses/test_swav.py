"""Sinkhorn's codes and SwAV's loss against the listing's steps and lightly."""

from importlib import import_module

import pytest
import torch

from trainables import distributed
from trainables.losses.swav import sinkhorn, swav


@pytest.fixture
def lightly():
    """Import the library that is compared with; ranks, which load this file, do without (5 s)."""
    return import_module("lightly.loss.swav_loss")


def random_scores(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1


@pytest.mark.parametrize("iterations", [1, 3, 10])
@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_codes_equal_lightlys(lightly, iterations, epsilon):
    scores = random_scores(12, 7)
    torch.testing.assert_close(
        sinkhorn(scores, epsilon=epsilon, iterations=iterations),
        lightly.sinkhorn(scores, iterations=iterations, epsilon=epsilon),
        atol=1e-12,
        rtol=0,
    )


def test_rows_are_distributions_and_columns_share_alike_in_the_end():
    codes = sinkhorn(random_scores(12, 4), epsilon=0.2, iterations=200)
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(12, dtype=torch.float64))
    torch.testing.assert_close(codes.sum(dim=0), torch.full((4,), 3.0, dtype=torch.float64))


def test_codes_of_equal_scores_are_uniform():
    codes = sinkhorn(torch.zeros(6, 4), epsilon=0.05)
    torch.testing.assert_close(codes, torch.full((6, 4), 0.25))


def test_codes_ignore_what_a_prototype_adds_to_all_rows():
    scores = random_scores(12, 7)
    shifted = scores + random_scores(7, seed=1)
    torch.testing.assert_close(sinkhorn(shifted, epsilon=0.05), sinkhorn(scores, epsilon=0.05))


def test_codes_are_finite_where_exponentials_under_and_overflow():
    codes = sinkhorn(random_scores(40, 5).float(), epsilon=1e-4, iterations=5)
    torch.testing.assert_close(codes.sum(dim=1), torch.ones(40))


def rows_of_a_rank(scores):
    count = len(scores) // distributed.world_size()
    own = scores[distributed.rank() * count :][:count]
    return sinkhorn(own, epsilon=0.05)


def test_two_ranks_find_the_codes_of_one_process(run_ranks):
    scores = random_scores(12, 7)
    torch.testing.assert_close(
        torch.cat(run_ranks(rows_of_a_rank, scores)), rows_of_a_rank(scores), atol=1e-12, rtol=0
    )


@pytest.mark.parametrize("num_views", [2, 3])
@pytest.mark.parametrize("queued", [0, 9])
def test_loss_and_gradient_equal_lightlys(lightly, num_views, queued):
    scores = random_scores(num_views, 6, 5).requires_grad_()
    queue = random_scores(num_views, queued, 5, seed=1) if queued else None
    ours = swav(scores, temperature=0.1, epsilon=0.05, queue_scores=queue)
    theirs = lightly.SwaVLoss()(list(scores), [], None if queue is None else list(queue)).squeeze()
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)
    of_ours, of_theirs = (torch.autograd.grad(loss, scores)[0] for loss in (ours, theirs))
    torch.testing.assert_close(of_ours, of_theirs, atol=1e-12, rtol=0)


def test_codes_are_as_precise_in_mixed_precision():
    scores = random_scores(12, 7).float()
    expected = sinkhorn(scores, epsilon=0.05)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sinkhorn(scores, epsilon=0.05), expected)
