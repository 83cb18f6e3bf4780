"""What a method makes of images before it learns from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trainables.augment.pipeline import Augmentation
from trainables.pictures.figures import Grid, Tile
from trainables.pictures.subject import Subject, refuse_bad_settings

# A stage applied on top of another's views (MSR, SimSiam + MSR).
ON_TOP = {"aggressive": "augment"}


@dataclass(frozen=True, kw_only=True)
class Views:
    """Training images and several draws of each of the method's augmentations.

    Parameters
    ----------
    images : int
        At most, evenly spaced over the training set.
    views : int
        Draws of each augmentation.
    seed : int
    """

    images: int = 6
    views: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        refuse_bad_settings(self)

    def __call__(self, subject: Subject) -> Grid:
        """Return a row for every image."""
        train = subject.splits.train
        count = min(self.images, len(train))
        rows = torch.arange(count, device=train.images.device) * len(train) // count
        images = train.pixels(rows)
        columns, drawn = ["image"], [images]
        with subject.at_rest(self.seed), torch.no_grad():
            for name, views in draw(subject.augmentations, images, self.views).items():
                kind = name.replace("_", " ") if len(subject.augmentations) > 1 else "view"
                columns += [f"{kind} {i + 1}" for i in range(self.views)]
                drawn += views
        return Grid(
            title="Views",
            note="Training images and what the method's augmentations make of them.",
            tiles=[[Tile(image) for image in row] for row in zip(*drawn, strict=True)],
            columns=columns,
            column_gaps=range(0, len(columns) - 1, self.views),
        )


def augmentations(method: nn.Module) -> dict[str, Augmentation]:
    """Return a method's augmentations by the names of its attributes."""
    found = {
        name: value
        for name, value in {**vars(method), **dict(method.named_children())}.items()
        if callable(value) and ("augment" in name or name in ON_TOP)
    }
    different: dict[str, Augmentation] = {}
    for name, value in found.items():
        if not any(value is other for other in different.values()):
            different[name] = value
    return different


def draw(
    augmentations: Mapping[str, Augmentation], images: Tensor, views: int
) -> dict[str, list[Tensor]]:
    """Return draws of every augmentation, each of shape (N, C, H, W).

    A stage on top of another is applied to the other's draws.
    """
    drawn: dict[str, list[Tensor]] = {}
    for name, augment in augmentations.items():
        below = drawn.get(ON_TOP.get(name, ""), [images] * views)
        drawn[name] = [augment(given) for given in below]
    return drawn
