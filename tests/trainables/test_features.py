"""Features of a whole set of images."""

import pytest
import torch
import torch.nn.functional as F

from trainables.data.digits import digits
from trainables.features import encode, unit_moments
from trainables.networks.small_conv import SmallConv


def moments(images, batch_size):
    torch.manual_seed(0)
    encoder = SmallConv(channels=1, widths=[8, 16], mean=[0.3], std=[0.4])
    few = digits().val.rows(slice(images))
    return encoder, few, unit_moments(encoder, few, batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [7, 1000])
def test_moments_are_those_of_all_features_at_once(batch_size):
    encoder, images, (mean, variance) = moments(100, batch_size)
    unit = F.normalize(encode(encoder, images), dim=1)
    expected = torch.var_mean(unit, dim=0)
    torch.testing.assert_close((variance, mean), expected, atol=1e-7, rtol=1e-5)


@pytest.mark.parametrize("images", [101, 1])
def test_ranks_share_the_images_and_agree(images, run_ranks):
    _, _, alone = moments(images, 16)
    for mean, variance in run_ranks(moments_on_a_rank, images):
        torch.testing.assert_close((mean, variance), alone, atol=1e-7, rtol=1e-5)


def moments_on_a_rank(images):
    return moments(images, 16)[2]
