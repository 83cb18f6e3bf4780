"""Two ranks compute what one process computes on the large batch, gradients included."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainables import distributed
from trainables.losses.nt_xent import nt_xent

WORLD_SIZE = 2
ROWS = 6  # of both ranks together


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 4)).double()


def images():
    """Two views of `ROWS` images, shape (2, ROWS, 5): noisy copies of one vector each."""
    generator = torch.Generator().manual_seed(2)
    original = torch.randn(ROWS, 5, generator=generator, dtype=torch.float64)
    noise = torch.randn(2, ROWS, 5, generator=generator, dtype=torch.float64)
    return original + noise


def gathered(rows):
    return distributed.gather(rows)


def gathered_with_own_slice_only(rows):
    """The wrong backward: a row's gradient from the other rank's anchors is lost."""
    everyone = list(distributed.gather(rows.detach()).split(len(rows)))
    everyone[distributed.rank()] = rows
    return torch.cat(everyone)


def gathered_without_gradient(rows):
    """The other wrong backward: keys are constants."""
    return distributed.gather(rows.detach())


GATHERS = {
    "right": gathered,
    "own slice": gathered_with_own_slice_only,
    "detached": gathered_without_gradient,
}


def gradient_of_one_process(temperature):
    model = network()
    loss = nt_xent(model(images()), temperature=temperature)
    loss.backward()
    return loss.item(), flat_gradient(model)


def gradient_of_a_rank(gather, temperature):
    """Return the loss averaged over ranks and the gradient that DDP leaves on this rank."""
    model = DistributedDataParallel(network())
    rows = ROWS // distributed.world_size()
    first = distributed.rank() * rows
    views = model(images()[:, first : first + rows])
    keys = GATHERS[gather](views.transpose(0, 1)).transpose(0, 1)
    loss = nt_xent(views, temperature=temperature, keys=keys, first_row=first)
    loss.backward()
    return distributed.mean_over_ranks(loss).item(), flat_gradient(model)


def flat_gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def assert_equals_one_process(run_ranks, gather):
    expected_loss, expected = gradient_of_one_process(0.5)
    for loss, gradient in run_ranks(gradient_of_a_rank, gather, 0.5, world_size=WORLD_SIZE):
        assert loss == pytest.approx(expected_loss, abs=1e-12)
        torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


def test_gathered_nt_xent_has_the_gradient_of_one_large_batch(run_ranks):
    assert_equals_one_process(run_ranks, "right")


@pytest.mark.parametrize("gather", ["own slice", "detached"])
def test_a_wrong_gather_has_the_right_loss_and_fails_the_gradient_test(run_ranks, gather):
    expected_loss, _ = gradient_of_one_process(0.5)
    (loss, _), _ = run_ranks(gradient_of_a_rank, gather, 0.5)
    assert loss == pytest.approx(expected_loss, abs=1e-12)
    with pytest.raises(AssertionError):
        assert_equals_one_process(run_ranks, gather)
