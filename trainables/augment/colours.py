"""Brightness, contrast, saturation, hue and grey."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from trainables.augment.pipeline import check_probability, coin, uniform
from trainables.fusible import fusible
from trainables.memory import constant

LUMA = (0.2989, 0.587, 0.114)  # torchvision's


def _grey(images: Tensor) -> Tensor:
    """Return the luma, shape (N, 1, H, W)."""
    if images.shape[1] == 1:
        return images
    red, green, blue = images.unbind(1)
    return (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2]).unsqueeze(1)


def _blend(images: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    # lerp returns the images themselves, bit for bit, where the factor is 1.
    weight = factor.view(-1, 1, 1, 1).to(images.dtype)
    return torch.lerp(other.to(images.dtype), images, weight).clamp_(0, 1)


@fusible
def adjust_brightness(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with black; a factor per image, 1 changes nothing."""
    return (images * factor.view(-1, 1, 1, 1).to(images.dtype)).clamp_(0, 1)


@fusible
def adjust_contrast(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the image's mean grey; a factor per image, 1 changes nothing."""
    return _blend(images, _grey(images.mean(dim=(2, 3), keepdim=True)), factor)


@fusible
def adjust_saturation(images: Tensor, factor: Tensor) -> Tensor:
    """Blend with the grey image; a factor per image, 1 changes nothing."""
    return images if images.shape[1] == 1 else _blend(images, _grey(images), factor)


def adjust_hue(images: Tensor, turn: Tensor) -> Tensor:
    r"""Turn the hue of each image by a share of the circle; grey images have none.

    Value and chroma stay. The hue is measured from cyan, in sixths of the circle,

    .. math::
        \psi = \operatorname{copysign}(2v - m + r - g - b,\, b - g) / (v - m),
        \qquad v = \max(r, g, b), \quad m = \min(r, g, b)

    which is HSV's hexagon without its three cases: on a CPU core three times as fast.
    """
    if images.shape[1] == 1:
        return images
    return _turned(images, turn, constant((0, 1, -1), images.device, images.dtype).view(3, 1, 1))


@fusible
def _turned(images: Tensor, turn: Tensor, shifts: Tensor) -> Tensor:
    red, green, blue = images.unbind(1)
    value = images.amax(1)
    chroma = value - images.amin(1)
    hue = (value + chroma).add_(red).sub_(green).sub_(blue).copysign_(blue - green)
    hue.div_(chroma.clamp(min=torch.finfo(images.dtype).tiny))
    hue.add_(6 * turn.view(-1, 1, 1).to(images.dtype))
    hue.sub_((hue / 6).round_(), alpha=6)  # into [-3, 3], where the channels are single ramps
    ramps = (hue.unsqueeze(1) + shifts).abs_().sub_(1).clamp_(0, 1)
    ramps[:, 0].neg_().add_(1)  # red's falls where the others rise
    return torch.addcmul(value.unsqueeze(1), chroma.unsqueeze(1), ramps, value=-1)


@dataclass(frozen=True)
class Jitter:
    """Factors of every image, and the order of the adjustments for the whole batch.

    Parameters
    ----------
    brightness, contrast, saturation, hue : Tensor, shape (N,)
    order : tuple of 4 ints
        0 is brightness, 1 contrast, 2 saturation, 3 hue.
    """

    brightness: Tensor
    contrast: Tensor
    saturation: Tensor
    hue: Tensor
    order: tuple[int, ...] = (0, 1, 2, 3)


@dataclass(frozen=True, kw_only=True)
class ColorJitter:
    """torchvision's ``ColorJitter``, applied to a row with some probability.

    The four adjustments come in a random order, one for the whole batch and the views that are
    made of it in one go (torchvision: one an image); their strengths are each row's own.

    Parameters
    ----------
    brightness, contrast, saturation : float
        Factors are uniform in [1 - x, 1 + x], those below 0 being 0.
    hue : float
        Turns are uniform in [-x, x], in shares of the circle, at most 0.5.
    strength : float
        Multiplies the four numbers above: one knob for all of them.
    probability : float
    """

    each_row: ClassVar[bool] = True

    brightness: float
    contrast: float
    saturation: float
    hue: float
    strength: float = 1.0
    probability: float = 0.8

    def __post_init__(self) -> None:
        for name in ("brightness", "contrast", "saturation", "strength"):
            if getattr(self, name) < 0:
                raise ValueError(f"jitter.{name} must be >= 0, got {getattr(self, name)}.")
        if not 0 <= self.strength * self.hue <= 0.5:
            raise ValueError(
                f"jitter.strength x jitter.hue must be in [0, 0.5], got "
                f"{self.strength} x {self.hue}."
            )
        check_probability("jitter.probability", self.probability)

    def __call__(self, images: Tensor) -> Tensor:
        """Return jittered images, shape (N, C, H, W)."""
        return self.apply(images, self.draw(images))

    def draw(self, images: Tensor) -> Jitter:
        """Draw factors for each image; a row left alone gets those that change nothing."""
        draws = uniform(images, -1, 1, 5)
        chosen = draws[:, 4:] < 2 * self.probability - 1
        parts = self.brightness, self.contrast, self.saturation, self.hue
        most = tuple(self.strength * part for part in parts)
        factors = torch.addcmul(
            constant((1, 1, 1, 0), images.device),  # change nothing
            draws[:, :4] * chosen,
            constant(most, images.device),
        )
        if max(most[:3]) > 1:
            factors[:, :3].clamp_(min=0)
        brightness, contrast, saturation, hue = factors.unbind(1)
        return Jitter(
            brightness=brightness,
            contrast=contrast,
            saturation=saturation,
            hue=hue,
            order=tuple(torch.randperm(4).tolist()),  # on the CPU, whatever the device
        )

    def apply(self, images: Tensor, jitter: Jitter) -> Tensor:
        """Return the images adjusted."""
        images = images.contiguous()  # channel by channel is twice as fast
        adjustments = (
            (self.brightness, adjust_brightness, jitter.brightness),
            (self.contrast, adjust_contrast, jitter.contrast),
            (self.saturation, adjust_saturation, jitter.saturation),
            (self.hue, adjust_hue, jitter.hue),
        )
        for index in jitter.order:
            most, adjust, factor = adjustments[index]
            if most * self.strength > 0:
                images = adjust(images, factor)
        return images


@dataclass(frozen=True, kw_only=True)
class RandomGrey:
    """Take the colour away, from a row with some probability.

    Parameters
    ----------
    probability : float
    """

    each_row: ClassVar[bool] = True

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
        return images if images.shape[1] == 1 else _grey_where(chosen, images.contiguous())


@fusible
def _grey_where(chosen: Tensor, images: Tensor) -> Tensor:
    return torch.where(chosen.view(-1, 1, 1, 1), _grey(images), images)
