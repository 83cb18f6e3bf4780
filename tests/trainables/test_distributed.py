"""Two ranks compute what one process computes on the large batch, gradients included."""

import pytest
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainables import distributed
from trainables.losses.nt_xent import nt_xent, nt_xent_over_ranks

ROWS = 6  # of both ranks together


def network():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 4)).double()


def images(num_views):
    """Views of `ROWS` images, shape (V, ROWS, 5): noisy copies of one vector each."""
    generator = torch.Generator().manual_seed(2)
    original = torch.randn(ROWS, 5, generator=generator, dtype=torch.float64)
    noise = torch.randn(num_views, ROWS, 5, generator=generator, dtype=torch.float64)
    return original + noise


def own_rows(rows):
    """This rank's slice along the last dimension but one."""
    count = ROWS // distributed.world_size()
    return rows.narrow(-2, distributed.rank() * count, count)


def flat_gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def gather_own_slice_only(rows):
    """The wrong backward: a row's gradient from the other rank's anchors is lost."""
    everyone = list(distributed.gather(rows.detach()).split(len(rows)))
    everyone[distributed.rank()] = rows
    return torch.cat(everyone)


def gather_without_gradient(rows):
    """The other wrong backward: keys are constants."""
    return distributed.gather(rows.detach())


GATHERS = {
    "right": distributed.gather,
    "own slice": gather_own_slice_only,
    "detached": gather_without_gradient,
}


def loss_and_gradient_of_one_process(num_views, temperature):
    model = network()
    loss = nt_xent(model(images(num_views)), temperature=temperature)
    loss.backward()
    return loss.item(), flat_gradient(model)


def loss_and_gradient_of_a_rank(gather, num_views, temperature):
    """Return the loss averaged over ranks and the gradient that DDP leaves on this rank."""
    model = DistributedDataParallel(network())
    views = model(own_rows(images(num_views)))
    keys = GATHERS[gather](views.transpose(0, 1)).transpose(0, 1)
    loss = nt_xent(
        views,
        temperature=temperature,
        keys=keys,
        first_row=distributed.rank() * views.shape[1],
    )
    loss.backward()
    return distributed.mean_over_ranks(loss).item(), flat_gradient(model)


def loss_and_gradient_as_methods_take_them(num_views, temperature):
    model = DistributedDataParallel(network())
    loss = nt_xent_over_ranks(model(own_rows(images(num_views))), temperature=temperature)
    loss.backward()
    return distributed.mean_over_ranks(loss).item(), flat_gradient(model)


def assert_equal_one_process(of_ranks, num_views, temperature):
    expected_loss, expected = loss_and_gradient_of_one_process(num_views, temperature)
    for loss, gradient in of_ranks:
        assert loss == pytest.approx(expected_loss, abs=1e-12)
        torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("num_views", [2, 3])
@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_gathered_nt_xent_has_the_gradient_of_one_large_batch(run_ranks, num_views, temperature):
    of_ranks = run_ranks(loss_and_gradient_of_a_rank, "right", num_views, temperature)
    assert_equal_one_process(of_ranks, num_views, temperature)


@pytest.mark.parametrize("num_views", [2, 3])
def test_nt_xent_over_ranks_has_the_gradient_of_one_large_batch(run_ranks, num_views):
    of_ranks = run_ranks(loss_and_gradient_as_methods_take_them, num_views, 0.5)
    assert_equal_one_process(of_ranks, num_views, 0.5)


@pytest.mark.parametrize("gather", ["own slice", "detached"])
def test_a_wrong_gather_has_the_right_loss_but_fails_the_gradient_test(run_ranks, gather):
    of_ranks = run_ranks(loss_and_gradient_of_a_rank, gather, 2, 0.5)
    expected_loss, _ = loss_and_gradient_of_one_process(2, 0.5)
    assert of_ranks[0][0] == pytest.approx(expected_loss, abs=1e-12)
    with pytest.raises(AssertionError):
        assert_equal_one_process(of_ranks, 2, 0.5)


@pytest.mark.parametrize(("gather", "share"), [("own slice", 0.75), ("detached", 0.5)])
def test_a_wrong_gather_loses_its_share_of_the_gradient(run_ranks, gather, share):
    # Near the uniform softmax half of the gradient comes from the keys, half of that from the
    # other rank's anchors. Measured elsewhere at other temperatures: 0.740 and 0.534.
    _, expected = loss_and_gradient_of_one_process(2, 2.0)
    _, gradient = run_ranks(loss_and_gradient_of_a_rank, gather, 2, 2.0)[0]
    assert (gradient.norm() / expected.norm()).item() == pytest.approx(share, abs=0.03)


def local_nt_xent(temperature):
    views = network()(own_rows(images(2)))
    return distributed.mean_over_ranks(nt_xent(views, temperature=temperature)).item()


def test_without_gathering_the_loss_is_lower_because_negatives_are_missing(run_ranks):
    everywhere, _ = loss_and_gradient_of_one_process(2, 0.5)
    assert run_ranks(local_nt_xent, 0.5)[0] < everywhere - 0.3


def double_gradient(points):
    """Return d/dx of |d/dx sum(x_all^3)|^2 through the gather, this rank's rows."""
    x = own_rows(points).clone().requires_grad_()
    (first,) = torch.autograd.grad((distributed.gather(x) ** 3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad((first**2).sum(), x)
    return second


def test_gather_can_be_differentiated_twice(run_ranks):
    points = torch.randn(ROWS, 2, dtype=torch.float64)
    # Both ranks' losses are the same sum, so a backward counts everything twice: first 2 * 3 x^2,
    # then 2 * first * (2 * 6 x).
    torch.testing.assert_close(torch.cat(run_ranks(double_gradient, points)), 144 * points**3)


def gathered_rows(rows):
    return distributed.gather(own_rows(rows))


def test_gather_concatenates_in_rank_order(run_ranks):
    rows = torch.arange(ROWS * 4).view(4, ROWS).T  # not contiguous
    for everyone in run_ranks(gathered_rows, rows):
        assert torch.equal(everyone, rows)


def collectives():
    mine = torch.tensor([1.0, 10.0]) * (distributed.rank() + 1)
    results = (
        distributed.sum_over_ranks(mine),
        distributed.mean_over_ranks(mine),
        distributed.broadcast_from_first(mine),
    )
    assert mine.tolist() == [1.0 * (distributed.rank() + 1), 10.0 * (distributed.rank() + 1)]
    return [result.tolist() for result in results]


def test_sums_means_and_broadcasts_agree_on_all_ranks_and_leave_their_input_alone(run_ranks):
    assert run_ranks(collectives) == [[[3.0, 30.0], [1.5, 15.0], [1.0, 10.0]]] * 2


def gradient_of_a_sum(weights):
    """Each rank's loss is its own weight times the square of the sum over ranks."""
    mine = torch.tensor(distributed.rank() + 1.0, requires_grad=True)
    loss = weights[distributed.rank()] * distributed.sum_with_gradient(mine) ** 2
    loss.backward()
    return mine.grad.item()


def test_the_sum_passes_every_rank_the_gradients_of_all_losses(run_ranks):
    weights = [5.0, 7.0]
    assert run_ranks(gradient_of_a_sum, weights) == [2 * 3.0 * sum(weights)] * 2


def drawn_rows(seed):
    torch.manual_seed(seed)
    return distributed.draw_rows(lambda n: torch.rand(n, 2), ROWS // 2), torch.rand(1)


def test_draws_of_two_ranks_are_the_draw_of_one_process_cut_in_two(run_ranks):
    torch.manual_seed(3)
    expected, next_draw = distributed.draw_rows(lambda n: torch.rand(n, 2), ROWS), torch.rand(1)
    of_ranks = run_ranks(drawn_rows, 3)
    assert torch.equal(torch.cat([rows for rows, _ in of_ranks]), expected)
    assert [later for _, later in of_ranks] == [next_draw, next_draw]


def places():
    return distributed.is_distributed(), distributed.rank(), distributed.world_size()


def test_every_rank_knows_its_place(run_ranks):
    assert run_ranks(places) == [(True, 0, 2), (True, 1, 2)]


def test_a_process_alone_is_one_rank_whose_collectives_change_nothing():
    rows = torch.randn(3, 2, requires_grad=True)
    assert places() == (False, 0, 1)
    assert distributed.gather(rows) is rows
    assert distributed.sum_with_gradient(rows) is rows
    for collective in (
        distributed.sum_over_ranks,
        distributed.mean_over_ranks,
        distributed.broadcast_from_first,
    ):
        assert torch.equal(collective(rows), rows)
        assert not collective(rows).requires_grad
