"""Image sets, their splits and what identifies them."""

import pytest
import torch

from trainables.data.digits import digits
from trainables.data.fingerprint import fingerprint
from trainables.data.image_set import ImageSet, Splits
from trainables.data.splitting import stratified


@pytest.fixture
def tiny():
    images = torch.arange(24, dtype=torch.uint8).view(6, 1, 2, 2)
    return ImageSet(images, torch.tensor([0, 1, 0, 1]))  # the last two have no label


def test_labelled_are_the_first_images(tiny):
    assert torch.equal(tiny.labelled.images, tiny.images[:4])
    assert torch.equal(tiny.labelled.labels, tiny.labels)
    known = tiny.labelled
    assert known.labelled is known
    assert len(tiny) == 6


def test_pixels_lie_in_0_to_1(tiny):
    white = ImageSet(torch.full((1, 1, 2, 2), 255, dtype=torch.uint8), torch.zeros(1).long())
    assert torch.equal(white.pixels(slice(None)), torch.ones(1, 1, 2, 2))
    assert torch.equal(tiny.pixels(torch.tensor([1])) * 255, tiny.images[1:2].float())


def test_stratified_parts_are_disjoint_complete_and_keep_every_class_share():
    labels = torch.arange(4).repeat_interleave(torch.tensor([10, 20, 30, 40]))
    parts = stratified(labels, (0.2, 0.3), seed=0)
    assert torch.equal(torch.cat(parts).sort().values, torch.arange(100))
    counts = [labels[rows].bincount().tolist() for rows in parts]
    assert counts == [[2, 4, 6, 8], [3, 6, 9, 12], [5, 10, 15, 20]]


def test_the_cut_depends_on_its_seed_alone():
    labels = torch.arange(4).repeat(25)
    first = stratified(labels, (0.2,), seed=1)[0]
    torch.rand(3)
    assert torch.equal(stratified(labels, (0.2,), seed=1)[0], first)
    assert not torch.equal(stratified(labels, (0.2,), seed=2)[0], first)


@pytest.mark.parametrize("shares", [(0.0, 0.2), (0.5, 0.5)])
def test_refuses_shares_that_leave_nothing(shares):
    message = "val_share and test_share must be above 0 and together below 1, got "
    with pytest.raises(ValueError, match=message):
        stratified(torch.arange(4).repeat(25), shares, seed=0)


def test_refuses_to_cut_too_few_images():
    with pytest.raises(ValueError, match=r"0\.1 and 0\.1 of 4 images in 2 classes leave none\."):
        stratified(torch.tensor([0, 0, 1, 1]), (0.1, 0.1), seed=0)


def test_digits_are_scaled_to_8_bits_and_split_60_20_20_in_every_class():
    splits = digits()
    assert (len(splits.train), len(splits.val), len(splits.test)) == (1079, 359, 359)
    assert splits.train.images.shape[1:] == (1, 8, 8)
    assert (splits.train.images.dtype, splits.train.labels.dtype) == (torch.uint8, torch.int64)
    # 17 levels, 0 to 16, spread over 0 to 255
    assert splits.train.images.unique().tolist() == [round(255 * i / 16) for i in range(17)]
    whole = sum(part.labels.bincount() for part in (splits.train, splits.val, splits.test))
    for part, share in ((splits.train, 0.6), (splits.val, 0.2), (splits.test, 0.2)):
        assert (part.labels.bincount() - share * whole).abs().max() <= 1
    assert splits.classes == tuple("0123456789")


def test_no_digit_is_in_two_splits():
    splits = digits()
    parts = (splits.train, splits.val, splits.test)
    rows = torch.cat([part.images.flatten(1) for part in parts])
    assert len(rows) == 1797
    assert len(rows.unique(dim=0)) == len(digits(split_seed=5).train) + 718


def test_some_images_of_a_set_sorted_by_class_are_of_every_class():
    images = ImageSet(torch.zeros(50, 1, 2, 2, dtype=torch.uint8), torch.arange(5).repeat(10))
    by_class = ImageSet(images.images, images.labels.sort().values)
    assert by_class.evenly(10).labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert images.evenly(100).labels.tolist() == images.labels.tolist()


def test_images_without_a_label_are_not_among_the_evenly_spread():
    images = ImageSet(torch.zeros(50, 1, 2, 2, dtype=torch.uint8), torch.arange(5))
    assert images.evenly(10).labels.tolist() == [0, 1, 2, 3, 4]


def test_fingerprint_is_of_content_and_split(tiny):
    known = tiny.labelled
    splits = Splits(known, known, known, ("a", "b"))
    same = Splits(known.rows(slice(None)), known, known, ("a", "b"))
    assert fingerprint(splits) == fingerprint(same) == fingerprint(splits.to("cpu"))
    others = [
        Splits(tiny, known, known, ("a", "b")),
        Splits(known, known, known, ("a", "c")),
        Splits(known.rows(slice(0, 3)), known, known, ("a", "b")),
        Splits(ImageSet(known.images, 1 - known.labels), known, known, ("a", "b")),
        Splits(ImageSet(known.images + 1, known.labels), known, known, ("a", "b")),
    ]
    assert len({fingerprint(other) for other in [splits, *others]}) == 6
