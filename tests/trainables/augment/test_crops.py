"""Crops against torchvision's: the boxes drawn, and the pixels of known boxes."""

import pytest
import torch
import torchvision.transforms.v2.functional as tv
from torchvision.transforms import RandomResizedCrop as ReferenceCrop

from trainables.augment.crops import Boxes, RandomCrop, RandomFlip, RandomResizedCrop

DRAWS = 20_000
SIZES = [(32, 32), (8, 8), (9, 31), (40, 12)]


def whole_image(images, mirrored=False):
    n, _, height, width = images.shape
    size = torch.tensor([[float(height), float(width)]]).expand(n, 2)
    return Boxes(torch.zeros(n, 2), size, torch.full((n,), mirrored))


def reference_boxes(image, scale, ratio, count):
    torch.manual_seed(1)
    return torch.tensor([ReferenceCrop.get_params(image, scale, ratio) for _ in range(count)])


def own_boxes(crop, height, width, count):
    torch.manual_seed(2)
    boxes = crop.draw(torch.empty(count, 1, height, width))
    return torch.cat([boxes.corner, boxes.size], dim=1)


def statistics(boxes):
    """Position, size, area and ratio of each box, one column each."""
    top, left, height, width = boxes.double().unbind(1)
    return torch.stack([top, left, height, width, height * width, (width / height).log()], dim=1)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("scale_min", [0.08, 0.5])
def test_boxes_are_distributed_as_torchvisions(height, width, scale_min):
    crop = RandomResizedCrop(scale_min=scale_min)
    ours = statistics(own_boxes(crop, height, width, DRAWS))
    theirs = statistics(
        reference_boxes(torch.empty(1, height, width), (scale_min, 1.0), (3 / 4, 4 / 3), DRAWS // 4)
    )
    for moment in (1, 2):
        a, b = ours**moment, theirs**moment
        standard_error = (a.var(0) / len(a) + b.var(0) / len(b)).sqrt()
        # Ten samples of twelve statistics: 4.5 standard errors leave a chance of 1e-3 in all.
        assert ((a.mean(0) - b.mean(0)).abs() <= 4.5 * standard_error + 1e-9).all()


@pytest.mark.parametrize(("height", "width"), [(8, 64), (64, 8), (7, 50), (32, 32)])
@pytest.mark.parametrize("ratio", [(3 / 4, 4 / 3), (0.2, 0.5), (2.0, 5.0)])
def test_the_central_box_is_torchvisions_where_none_fits(height, width, ratio):
    crop = RandomResizedCrop(scale_min=1.0, ratio_min=ratio[0], ratio_max=ratio[1])
    theirs = reference_boxes(torch.empty(1, height, width), (1.0, 1.0), ratio, 1)
    ours = own_boxes(crop, height, width, 200)
    assert (ours == theirs).all()


def test_boxes_are_whole_pixels_inside_the_image():
    top, left, height, width = own_boxes(RandomResizedCrop(scale_min=0.01), 5, 9, DRAWS).unbind(1)
    for value in (top, left, height, width):
        assert torch.equal(value, value.round())
    assert height.min() >= 1
    assert width.min() >= 1
    assert top.min() == 0
    assert left.min() == 0
    assert (top + height).max() == 5
    assert (left + width).max() == 9


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pixels_are_those_of_torchvisions_resized_crop(height, width, channels):
    torch.manual_seed(3)
    images = torch.rand(32, channels, height, width)
    crop = RandomResizedCrop(scale_min=0.05)
    boxes = crop.draw(images)
    views = crop.apply(images, boxes)
    for i, image in enumerate(images):
        box = map(int, (*boxes.corner[i], *boxes.size[i]))
        expected = tv.resized_crop(image, *box, size=[height, width], antialias=False)
        expected = tv.horizontal_flip(expected) if boxes.mirrored[i] else expected
        torch.testing.assert_close(views[i], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [*SIZES, (224, 224)])
def test_a_crop_of_everything_is_the_image(height, width):
    images = torch.rand(3, 3, height, width)
    views = RandomResizedCrop(scale_min=0.5).apply(images, whole_image(images))
    # float32 coordinates are good to 1e-7 of the width, and a pixel's neighbour may differ by 1
    torch.testing.assert_close(views, images, rtol=0, atol=3e-7 * width + 1e-6)


def test_a_crop_of_one_pixel_is_flat():
    images = torch.rand(1, 1, 6, 6)
    box = Boxes(torch.tensor([[2.0, 3.0]]), torch.ones(1, 2), torch.tensor([False]))
    views = RandomResizedCrop(scale_min=0.1).apply(images, box)
    torch.testing.assert_close(views, images[0, 0, 2, 3].expand_as(views), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_padded_crops_are_torchvisions_to_the_bit(height, width):
    torch.manual_seed(4)
    images = torch.rand(32, 3, height, width)
    crop = RandomCrop(padding=4)
    boxes = crop.draw(images)
    views = crop.apply(images, boxes)
    for i, image in enumerate(images):
        padded = tv.pad(image, [4, 4, 4, 4])
        top, left = (boxes.corner[i].int() + 4).tolist()
        expected = tv.crop(padded, top, left, height, width)
        expected = tv.horizontal_flip(expected) if boxes.mirrored[i] else expected
        torch.testing.assert_close(views[i], expected, rtol=0, atol=0)


def test_padded_crops_move_by_every_offset_equally_often():
    torch.manual_seed(5)
    boxes = RandomCrop(padding=4).draw(torch.empty(DRAWS, 1, 8, 8))
    for offset in boxes.corner.unbind(1):
        share = torch.bincount(offset.long() + 4, minlength=9) / DRAWS
        assert len(share) == 9
        # five standard errors of a share of 1/9
        assert (share - 1 / 9).abs().max() < 5 * (8 / 81 / DRAWS) ** 0.5


def test_no_padding_and_no_mirror_leave_the_images():
    images = torch.rand(4, 3, 9, 7)
    torch.testing.assert_close(RandomCrop(padding=0, mirror=False)(images), images, rtol=0, atol=0)


def test_flips_are_torchvisions():
    images = torch.rand(4, 3, 5, 7)
    flipped = RandomFlip(probability=1.0)(images)
    torch.testing.assert_close(flipped, tv.horizontal_flip(images), rtol=0, atol=0)
    torch.testing.assert_close(RandomFlip(probability=0.0)(images), images, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: RandomResizedCrop(scale_min=0.0), "scale_min"),
        (lambda: RandomResizedCrop(scale_min=0.9, scale_max=0.8), "scale_max"),
        (lambda: RandomResizedCrop(scale_min=0.1, ratio_min=2.0, ratio_max=1.0), "ratio_min"),
        (lambda: RandomResizedCrop(scale_min=0.1, mirror=0.3), "mirror"),
        (lambda: RandomCrop(padding=-1), "padding"),
        (lambda: RandomFlip(probability=1.1), "probability"),
    ],
)
def test_nonsense_is_refused(build, says):
    with pytest.raises(ValueError, match=says):
        build()
