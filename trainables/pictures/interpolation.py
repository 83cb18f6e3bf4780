"""Between two images, by way of their features."""

from dataclasses import dataclass

import torch
from torch import Tensor

from trainables.networks.encoder import Encoder
from trainables.pictures.ascent import Ascent
from trainables.pictures.figures import Grid, Tile
from trainables.pictures.subject import (
    Subject,
    one_of_each,
    refuse_bad_settings,
    some_classes,
)


@dataclass(frozen=True, kw_only=True)
class Interpolation:
    r"""Images whose features are between those of two others [1]_.

    .. math:: x_\lambda = \arg\min_x \| \lambda R(x_1) + (1 - \lambda) R(x_2) - R(x) \|

    by gradient descent on the pixels from :math:`x_1`. Below each pair, for comparison, the same
    mixture of the pixels.

    Parameters
    ----------
    pairs : int
        Of validation images of different classes.
    images : int
        Of a row, the two ends included.
    step_size : float
        Of the first quarter of the steps, as the root mean square over pixels. Nothing but the
        range of pixels is a bound.
    steps : int
        Ours: their steps (l2 of 0.1 at 3x32x32, a tenth of these) need ten times as many.
    seed : int

    References
    ----------
    .. [1] Engstrom et al. 2019, arXiv:1906.00945. "Fast training of deep neural networks robust
       to adversarial perturbations" prints a minus between the two ends, a misprint.
    """

    pairs: int = 3
    images: int = 8
    step_size: float = 0.02
    steps: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_bad_settings(self)

    def __call__(self, subject: Subject) -> Grid:
        """Return two rows for every pair."""
        val, names = subject.images, subject.class_names
        weights = torch.linspace(1, 0, self.images)
        climb = Ascent(epsilon=2, step_size=self.step_size, steps=self.steps)
        with subject.at_rest(self.seed):
            rows = one_of_each(val, some_classes(val, 2 * self.pairs))
            rows = rows[torch.randperm(len(rows)).to(rows.device)]
            first, second = val.pixels(rows[0::2][: len(rows) // 2]), val.pixels(rows[1::2])
            between, misses = interpolate(subject.encoder, first, second, weights, climb)
        labels = [names[int(label)] for label in val.labels[rows]]
        tiles: list[list[Tile | None]] = []
        kinds = []
        for i, (x1, x2) in enumerate(zip(first, second, strict=True)):
            of_features = [Tile(between[i, j], _miss(m)) for j, m in enumerate(misses[i])]
            of_pixels = [Tile(w * x1 + (1 - w) * x2) for w in weights.to(x1.device)]
            tiles += [[Tile(x1), *of_features, Tile(x2)], [None, *of_pixels, None]]
            kinds += [f"{labels[2 * i]} to {labels[2 * i + 1]}\nfeatures", "pixels"]
        return Grid(
            title="Interpolation in representation space",
            note=f"From the image at the left, {self.steps} steps on its pixels towards a mixture "
            "of the two images' features. Below: how far from the mixture they ended, relative to "
            "its length. For comparison, the same mixtures of the pixels.",
            tiles=tiles,
            columns=["from", *(f"{w:.2g}" for w in (1 - weights).tolist()), "to"],
            rows=kinds,
            column_gaps=[0, self.images],
            row_gaps=range(1, len(tiles), 2),
        )


def interpolate(
    encoder: Encoder, first: Tensor, second: Tensor, weights: Tensor, climb: Ascent
) -> tuple[Tensor, Tensor]:
    """Return images between pairs, and how far their features are from what they should be.

    Parameters
    ----------
    encoder : Encoder
        In eval mode.
    first, second : Tensor, shape (N, C, H, W)
        Where to start, and where to end.
    weights : Tensor, shape (M,), in [0, 1]
        Of `first`.
    climb : Ascent

    Returns
    -------
    tuple of Tensor, shapes (N, M, C, H, W) and (N, M)
        Distances are relative to the length of the features aimed at.
    """
    with torch.no_grad():
        ends = encoder(first), encoder(second)
    w = weights.to(first.device)[None, :, None]
    aims = (w * ends[0][:, None] + (1 - w) * ends[1][:, None]).flatten(0, 1)
    lengths = aims.norm(dim=1).clamp(min=1e-12)

    def nearness(x: Tensor, rows: Tensor) -> Tensor:
        away: Tensor = (encoder(x) - aims[rows]) / lengths[rows, None]
        return -away.square().sum(dim=1)

    # Their code opens the last ReLU here, too. Measured on digits under adversarial training: with
    # it features end five times as far from those of the other image.
    found = climb.settling(nearness, first.repeat_interleave(len(weights), dim=0))
    with torch.no_grad():
        misses = (-nearness(found, torch.arange(len(found), device=found.device))).sqrt()
    shape = (len(first), len(weights))
    return found.reshape(*shape, *first.shape[1:]), misses.reshape(shape)


def _miss(relative: Tensor) -> str:
    return f"{100 * float(relative):.2g} %"
