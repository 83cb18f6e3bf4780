"""Batches that come several times."""

import pytest
import torch

from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet
from trainables.data.replayed_batches import ReplayedBatches

TRAIN = ImageSet(
    torch.arange(20, dtype=torch.uint8).view(20, 1, 1, 1), torch.arange(20, dtype=torch.int64)
)


def test_every_batch_of_the_shuffled_ones_comes_so_often_in_a_row():
    once = list(ShuffledBatches(TRAIN, batch_size=6, seed=3, labelled=True).epoch(2))
    replayed = ReplayedBatches(TRAIN, batch_size=6, seed=3, replays=4)
    found = list(replayed.epoch(2))
    assert len(found) == len(replayed) == 4 * len(once) == 12
    for index, batch in enumerate(found):
        assert torch.equal(batch.labels, once[index // 4].labels)
        assert torch.equal(batch.images, once[index // 4].images)
        # By this a method distinguishes a replay from a new batch.
        assert (batch.indices is found[index - 1].indices) == (index % 4 != 0)


def test_no_replay_at_all_is_refused():
    with pytest.raises(ValueError, match=r"batches.replays must be at least 1, got 0"):
        ReplayedBatches(TRAIN, batch_size=6, seed=3, replays=0)
