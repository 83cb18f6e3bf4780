"""Brightness, contrast, saturation, hue, grey and blur."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.augment.pipeline import check_probability, coin, resample, uniform

LUMA = (0.2989, 0.587, 0.114)  # torchvision's


def _grey(images: Tensor) -> Tensor:
    """Return the luma, shape (N, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    return (LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue).unsqueeze(1)


def _blend(images: Tensor, other: Tensor | float, factor: Tensor) -> Tensor:
    factor = factor.view(-1, 1, 1, 1).to(images.dtype)
    return (factor * images + (1 - factor) * other).clamp_(0, 1)


def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black; a factor per image, 1 changes nothing."""
    return _blend(images, 0.0, factor)


def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image's mean grey; a factor per image, 1 changes nothing."""
    return _blend(images, _grey(images).mean(dim=(1, 2, 3), keepdim=True), factor)


def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image; a factor per image, 1 changes nothing."""
    return images if images.shape[1] == 1 else _blend(images, _grey(images), factor)


def adjust_hue(images: Tensor, turn: Tensor) -> Tensor:
    """Turn the hue of each image by a share of the circle; grey images have none."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    value = images.amax(dim=1)
    chroma = value - images.amin(dim=1)
    divisor = torch.where(chroma == 0, 1.0, chroma)
    hue = torch.where(
        value == red,
        (green - blue) / divisor,
        torch.where(value == green, 2 + (blue - red) / divisor, 4 + (red - green) / divisor),
    )
    sixths = hue + 6 * turn.view(-1, 1, 1).to(images.dtype)
    channels = []
    for offset in (5, 3, 1):
        k = torch.remainder(sixths + offset, 6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, dim=1)


@dataclass(frozen=True)
class Jitter:
    """Factors of every image and the order of the adjustments.

    Parameters
    ----------
    brightness, contrast, saturation, hue : Tensor, shape (N,)
    order : Tensor, shape (4,), int64, on the CPU
        The same for the whole batch.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    order: Tensor


@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """torchvision's ``ColorJitter``, applied to a row with some probability.

    The four adjustments come in a random order, one for the whole batch (torchvision: one an
    image); their strengths are each row's own.

    Parameters
    ----------
    brightness, contrast, saturation : float
        Factors are uniform in [1 - x, 1 + x].
    hue : float
        Turns are uniform in [-x, x], in shares of the circle, at most 0.5.
    probability : float
    """

    brightness: float
    contrast: float
    saturation: float
    hue: float
    probability: float = 0.8

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation"):
            check_probability(f"jitter.{name}", getattr(self, name))
        if not 0 <= self.hue <= 0.5:
            raise ValueError(f"jitter.hue must lie in [0, 0.5], got {self.hue}.")
        check_probability("jitter.probability", self.probability)

    def __call__(self, images: Tensor) -> Tensor:
        """Return jittered images, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Jitter:
        """Draw factors for each image; a row left alone gets those that change nothing."""
        chosen = coin(images, self.probability)
        strengths = [self.brightness, self.contrast, self.saturation, self.hue]
        spread = uniform(images, -1, 1, 4) * torch.tensor(strengths, device=images.device)
        spread = spread * chosen.unsqueeze(1)
        b, c, s, h = spread.unbind(1)
        return Jitter(1 + b, 1 + c, 1 + s, h, torch.randperm(4))

    def apply(self, images: Tensor, jitter: Jitter) -> Tensor:
        """Return the images adjusted."""
        adjustments = (
            (self.brightness, adjust_brightness, jitter.brightness),
            (self.contrast, adjust_contrast, jitter.contrast),
            (self.saturation, adjust_saturation, jitter.saturation),
            (self.hue, adjust_hue, jitter.hue),
        )
        for index in jitter.order.tolist():
            strength, adjust, factor = adjustments[index]
            if strength > 0:
                images = adjust(images, factor)
        return images


@dataclass(frozen=True, kw_only=True)
class RandomGrey:
    """Take the colour away, from a row with some probability.

    Parameters
    ----------
    probability : float
    """

    probability: float = 0.2

    def __post_init__(self) -> None:
        check_probability("grey.probability", self.probability)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the images, some of them grey, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Tensor:
        """Draw which rows lose their colour, shape (N,), bool."""
        return coin(images, self.probability)

    def apply(self, images: Tensor, chosen: Tensor) -> Tensor:
        """Return the chosen rows grey."""
        return torch.where(chosen.view(-1, 1, 1, 1), _grey(images), images)


@dataclass(frozen=True, kw_only=True)
class GaussianBlur:
    """Blur a row with some probability, each by its own width.

    Parameters
    ----------
    sigma_min, sigma_max : float
        Standard deviation in pixels, uniform.
    probability : float
    """

    sigma_min: float = 0.1
    sigma_max: float = 2.0
    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.sigma_min <= self.sigma_max:
            raise ValueError(
                f"a blur needs 0 < sigma_min <= sigma_max, got {self.sigma_min} and "
                f"{self.sigma_max}."
            )
        check_probability("blur.probability", self.probability)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the images, some of them blurred, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Tensor:
        """Draw a width for each image, shape (N,); a row left alone gets a hair's breadth."""
        sigma = uniform(images, self.sigma_min, self.sigma_max)
        return torch.where(coin(images, self.probability), sigma, 1e-3)

    def apply(self, images: Tensor, sigma: Tensor) -> Tensor:
        """Return the images blurred, mirrored at their edges."""
        height, width = images.shape[2:]
        return resample(images, _gaussian_weights(sigma, height), _gaussian_weights(sigma, width))


def _gaussian_weights(sigma: Tensor, size: int) -> Tensor:
    """Return the weights of a blur along an axis, shape (N, size, size)."""
    pixel = torch.arange(size, device=sigma.device, dtype=torch.float32)
    to, source = pixel.unsqueeze(1), pixel.unsqueeze(0)
    inner = (source > 0) & (source < size - 1)  # the outermost pixels are their own mirror image
    sigma = sigma.view(-1, 1, 1)

    def bell(distance: Tensor) -> Tensor:
        return torch.exp(-0.5 * (distance / sigma) ** 2)

    low = bell(to + source) * (inner | (source == size - 1))
    high = bell(2 * (size - 1) - source - to) * (inner | (source == 0))
    weights = bell(to - source) + low + high
    return weights / weights.sum(dim=2, keepdim=True)
