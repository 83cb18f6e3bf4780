"""The small network: shapes, resolution, where normalisation happens."""

import pytest
import torch

from trainables.networks.small_conv import SmallConv


@pytest.mark.parametrize("size", [8, 28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_gives_features_for_small_images_of_any_size(size, channels):
    encoder = SmallConv(
        channels=channels, widths=[4, 8, 12], mean=[0.5] * channels, std=[0.2] * channels
    )
    assert encoder.num_features == 12
    assert encoder(torch.rand(3, channels, size, size)).shape == (3, 12)


def test_every_block_but_the_first_halves_the_image():
    encoder = SmallConv(channels=1, widths=[4, 8, 12], mean=[0.5], std=[0.2])
    sizes = []
    for layer in encoder.body:
        if isinstance(layer, torch.nn.Conv2d):
            layer.register_forward_hook(lambda *call: sizes.append(call[-1].shape[-1]))
    encoder(torch.rand(2, 1, 8, 8))
    assert sizes == [8, 4, 2]


def test_standardised_and_raw_pixels_give_the_same_features():
    torch.manual_seed(0)
    encoder = SmallConv(channels=1, widths=[4, 8], mean=[0.3], std=[0.4]).eval()
    plain = SmallConv(channels=1, widths=[4, 8], mean=[0.0], std=[1.0]).eval()
    plain.load_state_dict(encoder.state_dict())
    images = torch.rand(2, 1, 8, 8)
    torch.testing.assert_close(encoder(images), plain((images - 0.3) / 0.4))


def test_no_width_is_refused_by_name():
    with pytest.raises(ValueError, match="at least one block"):
        SmallConv(channels=1, widths=[], mean=[0.3], std=[0.4])
