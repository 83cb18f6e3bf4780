"""Data sets at another size."""

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.digits import digits
from trainables.data.resized import resized

DIGITS = {"val_share": 0.2, "test_share": 0.2, "split_seed": 0}


def test_labels_and_cut_stay_and_images_get_the_size():
    before, after = digits(**DIGITS), resized(digits(**DIGITS), 5)
    for name in ("train", "val", "test"):
        old, new = getattr(before, name), getattr(after, name)
        assert new.images.shape == (len(old.images), 1, 5, 5)
        assert new.images.dtype == torch.uint8
        assert torch.equal(new.labels, old.labels)


def test_pixels_are_pils_to_within_a_level():
    before, after = digits(**DIGITS), resized(digits(**DIGITS), 5)
    for row in range(20):
        image = Image.fromarray(before.val.images[row, 0].numpy())
        expected = np.asarray(image.resize((5, 5), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(after.val.images[row, 0].numpy() - expected).max() <= 1


def test_the_same_size_changes_nothing():
    before, after = digits(**DIGITS), resized(digits(**DIGITS), 8)
    assert torch.equal(after.train.images, before.train.images)


def test_no_size_is_refused():
    with pytest.raises(ValueError, match=r"data\.image_size"):
        resized(digits(**DIGITS), 0)
