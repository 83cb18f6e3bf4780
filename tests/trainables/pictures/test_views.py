"""Views as the method makes them."""

import torch
from picture_subjects import linear_subject
from toy_methods import Pixels

from trainables.augment.pipeline import Pipeline
from trainables.methods.base import Method
from trainables.pictures.views import Views, augmentations, draw


def darker(images):
    return images / 2


def noisy(images):
    return (images + 0.1 * torch.rand_like(images)).clamp(0, 1)


class TwoStages(Method):
    def __init__(self, **parts):
        super().__init__()
        self.encoder = Pixels(9)
        self.temperature = 0.5
        for name, part in parts.items():
            setattr(self, name, part)


def test_augmentations_are_found_by_the_names_of_their_attributes():
    found = augmentations(TwoStages(augment=darker, aggressive=noisy))
    assert found == {"augment": darker, "aggressive": noisy}


def test_an_augmentation_under_two_names_is_shown_once():
    assert augmentations(TwoStages(augment=darker, other_augment=darker)) == {"augment": darker}


def test_an_aggressive_stage_goes_on_top_of_the_weak_one():
    images = torch.rand(4, 1, 3, 3)
    drawn = draw({"augment": noisy, "aggressive": darker}, images, 3)
    assert [torch.equal(a, w / 2) for a, w in zip(*reversed(drawn.values()), strict=True)] == [
        True,
        True,
        True,
    ]
    assert not torch.equal(drawn["augment"][0], drawn["augment"][1])


def test_the_grid_has_the_image_and_its_views_in_a_row():
    subject = linear_subject(augmentations={"augment": darker})
    grid = Views(images=3, views=2)(subject)
    images = subject.splits.train.pixels(torch.tensor([0, 8, 16]))  # of 24
    assert list(grid.columns) == ["image", "view 1", "view 2"]
    for row, image in zip(grid.tiles, images, strict=True):
        for tile, expected in zip(row, [image, image / 2, image / 2], strict=True):
            torch.testing.assert_close(tile.image, expected)


def test_no_transform_is_the_image_itself():
    grid = Views(images=2, views=1)(linear_subject(augmentations={"augment": Pipeline()}))
    for image, view in grid.tiles:
        assert torch.equal(image.image, view.image)
