"""Supervised contrast over two ranks has the gradient of one large batch."""

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from trainables import distributed
from trainables.losses.suncet import suncet, suncet_over_ranks
from trainables.losses.supcon import supcon, supcon_over_ranks

LOSSES = {"suncet": (suncet, suncet_over_ranks), "supcon": (supcon, supcon_over_ranks)}
LABELS = torch.tensor([0, 1, 2, 0, 1, 1, 2, 0])  # not every class is twice on every rank


def network_and_images():
    torch.manual_seed(1)
    network = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 4)).double()
    return network, torch.randn(len(LABELS), 5, dtype=torch.float64)


def flat_gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def gather_own_slice_only(rows):
    """The wrong backward: a row's gradient from the other rank's anchors is lost."""
    everyone = list(distributed.gather(rows.detach()).split(len(rows)))
    everyone[distributed.rank()] = rows
    return torch.cat(everyone)


def of_a_rank(name, right):
    """Return the loss averaged over ranks and the gradient that DDP leaves on this rank."""
    network, images = network_and_images()
    model = DistributedDataParallel(network)
    count = len(LABELS) // distributed.world_size()
    first = distributed.rank() * count
    own = slice(first, first + count)
    embeddings = model(images[own])
    local, over_ranks = LOSSES[name]
    if right:
        loss = over_ranks(embeddings, LABELS[own], temperature=0.3)
    else:
        loss = local(
            embeddings,
            LABELS[own],
            temperature=0.3,
            keys=gather_own_slice_only(embeddings),
            key_labels=LABELS,
            first_row=first,
        )
    loss.backward()
    return distributed.mean_over_ranks(loss).item(), flat_gradient(model)


def of_one_process(name):
    network, images = network_and_images()
    loss = LOSSES[name][0](network(images), LABELS, temperature=0.3)
    loss.backward()
    return loss.item(), flat_gradient(network)


@pytest.mark.parametrize("name", LOSSES)
def test_gathered_gradient_is_that_of_one_large_batch(run_ranks, name):
    expected_loss, expected = of_one_process(name)
    for loss, gradient in run_ranks(of_a_rank, name, True):
        assert loss == pytest.approx(expected_loss, abs=1e-12)
        torch.testing.assert_close(gradient, expected, atol=1e-12, rtol=0)


def gathers_and_classes(name, dtype):
    """Return how often a loss gathers, and the classes a rank hears of."""
    asked, gather = [], dist.all_gather_into_tensor

    def counted(*arguments, **options):
        asked.append(arguments)
        return gather(*arguments, **options)

    mine = torch.tensor([-1, 2**24 - 1]) + distributed.rank()
    dist.all_gather_into_tensor = counted
    try:
        LOSSES[name][1](torch.rand(2, 3, dtype=dtype), mine, temperature=0.3)
    finally:
        dist.all_gather_into_tensor = gather
    return len(asked), distributed.gather_labelled(torch.rand(2, 3, dtype=dtype), mine)[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", LOSSES)
def test_embeddings_and_labels_are_gathered_at_once(run_ranks, name, dtype):
    for count, classes in run_ranks(gathers_and_classes, name, dtype):
        assert count == 1
        assert classes.tolist() == [-1, 2**24 - 1, 0, 2**24]


@pytest.mark.parametrize("name", LOSSES)
def test_a_gather_that_forgets_other_ranks_anchors_has_the_loss_but_not_the_gradient(
    run_ranks, name
):
    expected_loss, expected = of_one_process(name)
    loss, gradient = run_ranks(of_a_rank, name, False)[0]
    assert loss == pytest.approx(expected_loss, abs=1e-12)
    assert not torch.allclose(gradient, expected, rtol=1e-2)


@pytest.mark.parametrize("name", LOSSES)
def test_without_a_process_group_it_is_the_plain_loss(name):
    embeddings = network_and_images()[1]
    local, over_ranks = LOSSES[name]
    assert torch.equal(
        over_ranks(embeddings, LABELS, temperature=0.3), local(embeddings, LABELS, temperature=0.3)
    )
