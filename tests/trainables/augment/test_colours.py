"""Colour adjustments and blur against torchvision's at known parameters."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv

from trainables.augment.blur import GaussianBlur
from trainables.augment.colours import (
    ColorJitter,
    Jitter,
    RandomGrey,
    adjust_brightness,
    adjust_contrast,
    adjust_hue,
    adjust_saturation,
)

DRAWS = 20_000
ROCL = {"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1}


def images_with_edge_cases(channels=3):
    """Random images, and those in which two or all channels tie or are extreme."""
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(64, channels, 9, 7, generator=generator)
    coarse = (images[:16] * 3).round() / 3  # ties of all kinds, pure colours
    return torch.cat([images, coarse, torch.zeros_like(images[:1]), torch.ones_like(images[:1])])


def factors(count, low, high):
    """Values between `low` and `high`, both included."""
    return torch.linspace(low, high, count)[torch.randperm(count)]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("adjust", "reference", "low", "high"),
    [
        (adjust_brightness, tv.adjust_brightness, 0.0, 2.0),
        (adjust_contrast, tv.adjust_contrast, 0.0, 2.0),
        (adjust_saturation, tv.adjust_saturation, 0.0, 2.0),
        (adjust_hue, tv.adjust_hue, -0.5, 0.5),
    ],
)
def test_an_adjustment_is_torchvisions(adjust, reference, low, high, channels):
    images = images_with_edge_cases(channels)
    factor = factors(len(images), low, high)
    adjusted = adjust(images, factor)
    expected = torch.stack([reference(x, f.item()) for x, f in zip(images, factor, strict=True)])
    torch.testing.assert_close(adjusted, expected, rtol=0, atol=3e-6)


def test_a_jitter_is_its_adjustments_in_the_order_given():
    images = images_with_edge_cases()
    n = len(images)
    jitter = Jitter(
        factors(n, 0.6, 1.4),
        factors(n, 0.6, 1.4),
        factors(n, 0.6, 1.4),
        factors(n, -0.1, 0.1),
        order=(2, 0, 3, 1),
    )
    views = ColorJitter(**ROCL).apply(images, jitter)
    for i, image in enumerate(images):
        expected = tv.adjust_saturation(image, jitter.saturation[i].item())
        expected = tv.adjust_brightness(expected, jitter.brightness[i].item())
        expected = tv.adjust_hue(expected, jitter.hue[i].item())
        expected = tv.adjust_contrast(expected, jitter.contrast[i].item())
        torch.testing.assert_close(views[i], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "jitter",
    [ColorJitter(**ROCL, strength=0.0), ColorJitter(**ROCL, probability=0.0)],
    ids=["strength", "probability"],
)
def test_a_jitter_of_no_strength_leaves_the_images(jitter):
    images = images_with_edge_cases()
    torch.testing.assert_close(jitter(images), images, rtol=0, atol=1e-6)


def test_a_jitter_turns_grey_images_in_brightness_and_contrast_only():
    images = torch.rand(8, 1, 6, 6)
    colourful = ColorJitter(brightness=0, contrast=0, saturation=0.4, hue=0.1, probability=1.0)
    torch.testing.assert_close(colourful(images), images, rtol=0, atol=0)
    assert not torch.equal(ColorJitter(**ROCL, probability=1.0)(images), images)


def test_factors_are_uniform_and_chosen_at_the_given_rate():
    torch.manual_seed(2)
    images = torch.empty(DRAWS, 3, 1, 1)
    jitter = ColorJitter(**ROCL, strength=0.5, probability=0.8).draw(images)
    chosen = jitter.hue != 0
    assert abs(chosen.float().mean() - 0.8) < 4 * (0.16 / DRAWS) ** 0.5  # standard errors
    for name, middle in {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 0}.items():
        spread = 0.5 * ROCL[name]
        deviation = (getattr(jitter, name) - middle)[chosen] / spread
        assert deviation.abs().max() <= 1 + 1e-5
        assert abs(deviation.mean()) < 4 * (1 / 3 / len(deviation)) ** 0.5
        assert abs(deviation.square().mean() - 1 / 3) < 4 * (4 / 45 / len(deviation)) ** 0.5
        assert (getattr(jitter, name)[~chosen] == middle).all()


def test_every_order_of_adjustments_occurs():
    torch.manual_seed(3)
    jitter = ColorJitter(**ROCL)
    images = torch.empty(1, 3, 1, 1)
    assert len({jitter.draw(images).order for _ in range(400)}) == 24


def test_factors_below_zero_are_zero():
    torch.manual_seed(4)
    jitter = ColorJitter(brightness=3.0, contrast=0, saturation=0, hue=0, probability=1.0)
    drawn = jitter.draw(torch.empty(1000, 3, 1, 1)).brightness
    assert drawn.min() == 0
    assert drawn.max() > 3


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_is_torchvisions(channels):
    images = images_with_edge_cases(channels)
    expected = tv.rgb_to_grayscale(images, channels) if channels == 3 else images
    torch.testing.assert_close(RandomGrey(probability=1.0)(images), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(RandomGrey(probability=0.0)(images), images, rtol=0, atol=0)


def test_images_lose_their_colour_at_the_given_rate():
    torch.manual_seed(5)
    chosen = RandomGrey(probability=0.2).draw(torch.empty(DRAWS, 3, 1, 1)).float().mean()
    assert abs(chosen - 0.2) < 4 * (0.16 / DRAWS) ** 0.5  # standard errors


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (21, 17)])
def test_a_blur_is_torchvisions_with_a_kernel_as_wide(height, width, channels):
    torch.manual_seed(6)
    images = torch.rand(16, channels, height, width)
    blur = GaussianBlur(sigma_min=0.1, sigma_max=2.0, probability=1.0)
    sigma = blur.draw(images)
    views = blur.apply(images, sigma)
    for i, image in enumerate(images):  # four of the widest standard deviations on each side
        expected = tv.gaussian_blur(image, [17, 17], [sigma[i].item()] * 2)
        torch.testing.assert_close(views[i], expected, rtol=0, atol=2e-6)


def test_a_blur_keeps_the_mean_of_flat_images_and_lowers_the_contrast_of_others():
    flat = torch.full((2, 3, 8, 8), 0.3)
    blur = GaussianBlur(sigma_min=2.0, sigma_max=2.0, probability=1.0)
    torch.testing.assert_close(blur(flat), flat, rtol=0, atol=1e-6)
    noise = torch.rand(2, 3, 8, 8)
    assert blur(noise).std() < 0.5 * noise.std()


def test_unchosen_images_are_not_blurred_at_all():
    images = torch.rand(8, 3, 12, 12)
    torch.testing.assert_close(GaussianBlur(probability=0.0)(images), images, rtol=0, atol=0)


def test_widths_of_blurs_are_uniform_and_chosen_at_the_given_rate():
    torch.manual_seed(7)
    blur = GaussianBlur(sigma_min=0.1, sigma_max=2.0, probability=0.5)
    sigma = blur.draw(torch.empty(DRAWS, 3, 1, 1))
    chosen = sigma >= 0.1
    assert abs(chosen.float().mean() - 0.5) < 4 * 0.5 / DRAWS**0.5  # standard errors
    assert sigma.max() <= 2.0
    error = 1.9 / 12**0.5 / chosen.sum() ** 0.5
    assert abs(sigma[chosen].mean() - 1.05) < 4 * error


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: ColorJitter(brightness=-0.1, contrast=0, saturation=0, hue=0), "brightness"),
        (lambda: ColorJitter(**{**ROCL, "hue": 0.6}), "hue"),
        (lambda: ColorJitter(**ROCL, strength=-1.0), "strength"),
        (lambda: ColorJitter(**ROCL, strength=6.0), "hue"),
        (lambda: ColorJitter(**ROCL, probability=1.2), "probability"),
        (lambda: RandomGrey(probability=-0.1), "probability"),
        (lambda: GaussianBlur(sigma_min=0.0), "sigma_min"),
        (lambda: GaussianBlur(sigma_min=2.0, sigma_max=1.0), "sigma_max"),
        (lambda: GaussianBlur(probability=2.0), "probability"),
    ],
)
def test_nonsense_is_refused(build, says):
    with pytest.raises(ValueError, match=says):
        build()
