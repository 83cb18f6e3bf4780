"""Batches on one rank and on two."""

import pytest
import torch

from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet


def numbered(count, num_labelled=None):
    """Images whose every pixel is their row number, labelled by ten times that."""
    rows = torch.arange(count)
    images = rows.to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return ImageSet(images, 10 * rows[:num_labelled])


def order(batches, epoch):
    return torch.cat([batch.indices for batch in batches.epoch(epoch)]).tolist()


def test_every_image_comes_at_most_once_an_epoch_and_the_rest_is_dropped():
    batches = ShuffledBatches(numbered(23), batch_size=5, seed=0)
    rows = order(batches, 0)
    assert len(batches) == 4
    assert len(rows) == len(set(rows)) == 20
    assert set(rows) <= set(range(23))


def test_the_order_depends_on_seed_and_epoch_and_on_nothing_else():
    train = numbered(50)
    batches = ShuffledBatches(train, batch_size=50, seed=3)
    expected = order(batches, 7)
    torch.rand(5)
    assert order(ShuffledBatches(train, batch_size=50, seed=3), 7) == expected
    assert order(batches, 8) != expected
    assert order(ShuffledBatches(train, batch_size=50, seed=4), 7) != expected


def test_drawing_a_batch_leaves_the_global_random_stream_alone():
    state = torch.get_rng_state()
    list(ShuffledBatches(numbered(10), batch_size=5, seed=0).epoch(0))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("labelled", [False, True])
def test_images_labels_and_indices_belong_together(labelled):
    for batch in ShuffledBatches(numbered(20), batch_size=5, seed=0, labelled=labelled).epoch(0):
        torch.testing.assert_close(batch.images[:, 0, 0, 0] * 255, batch.indices.float())
        assert batch.images.dtype == torch.float32
        assert torch.equal(batch.labels, 10 * batch.indices if labelled else batch.labels[:0])


def test_labelled_batches_leave_out_images_without_a_label():
    train = numbered(20, num_labelled=8)
    assert sorted(order(ShuffledBatches(train, batch_size=20, seed=0), 0)) == list(range(20))
    labelled = ShuffledBatches(train, batch_size=8, seed=0, labelled=True)
    assert sorted(order(labelled, 0)) == list(range(8))


def batches_of_a_rank():
    batches = ShuffledBatches(numbered(23), batch_size=6, seed=1, labelled=True)
    return [(batch.images, batch.labels, batch.indices) for batch in batches.epoch(2)]


def test_two_ranks_share_the_batches_of_one_process(run_ranks):
    ranks = run_ranks(batches_of_a_rank)
    for whole, *parts in zip(batches_of_a_rank(), *ranks, strict=True):
        for expected, *pieces in zip(whole, *parts, strict=True):
            assert torch.equal(torch.cat(pieces), expected)


@pytest.mark.parametrize("batch_size", [0, 1, 24])
def test_refuses_batches_that_compare_nothing_or_hold_more_than_there_is(batch_size):
    with pytest.raises(ValueError, match=rf"between 2 and the 23 training .* got {batch_size}\."):
        ShuffledBatches(numbered(23), batch_size=batch_size, seed=0)


def refusal_of_an_odd_batch():
    with pytest.raises(ValueError, match=r"scaling\.num_workers=2 .* multiple of it, got 5\."):
        ShuffledBatches(numbered(23), batch_size=5, seed=0)
    return True


def test_refuses_batches_that_ranks_cannot_share(run_ranks):
    assert run_ranks(refusal_of_an_odd_batch) == [True, True]
