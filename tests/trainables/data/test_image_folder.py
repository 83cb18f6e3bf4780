"""Folders of images, well and badly laid out."""

import numpy as np
import pytest
import torch
from PIL import Image

from trainables.data.image_folder import image_folder
from trainables.data.listing import LAYOUT


def colour(seed, width=8, height=8):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def fill(folder, count=10, first=0):
    """Put `count` different colour images into a class folder."""
    folder.mkdir(parents=True)
    for number in range(first, first + count):
        colour(number).save(folder / f"{number:03}.png")


@pytest.fixture
def tree(tmp_path):
    """One tree of two classes with ten images each."""
    root = tmp_path / "images"
    fill(root / "cat")
    fill(root / "dog", first=10)
    return root


@pytest.fixture
def split_tree(tmp_path):
    """Training and test images in folders of their own."""
    root = tmp_path / "images"
    for number, name in enumerate(["cat", "dog"]):
        fill(root / "train" / name, count=10, first=20 * number)
        fill(root / "test" / name, count=4, first=20 * number + 10)
    return root


def sentence(root, **settings):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        image_folder(root=None if root is None else str(root), **settings)
    return str(refusal.value)


def pixels(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)


def test_one_tree_is_cut_stratified(tree):
    splits = image_folder(root=str(tree), val_share=0.2, test_share=0.3)
    parts = (splits.train, splits.val, splits.test)
    assert [part.labels.bincount().tolist() for part in parts] == [[5, 5], [2, 2], [3, 3]]
    assert splits.classes == ("cat", "dog")
    images = torch.cat([part.images for part in parts])
    labels = torch.cat([part.labels for part in parts])
    original = [pixels(colour(number)) for number in range(20)]
    numbers = [next(n for n in range(20) if torch.equal(original[n], image)) for image in images]
    assert sorted(numbers) == list(range(20))
    assert labels.tolist() == [number // 10 for number in numbers]


def test_a_test_folder_is_left_as_it_is(split_tree):
    splits = image_folder(root=str(split_tree), val_share=0.2)
    expected = [pixels(colour(number)) for number in (10, 11, 12, 13, 30, 31, 32, 33)]
    where = [next(n for n in range(8) if torch.equal(expected[n], i)) for i in splits.test.images]
    assert sorted(where) == list(range(8))
    assert splits.test.labels.tolist() == [place // 4 for place in where]
    assert splits.val.labels.bincount().tolist() == [2, 2]
    assert splits.train.labels.bincount().tolist() == [8, 8]


def test_a_validation_folder_is_left_as_it_is(split_tree):
    fill(split_tree / "val" / "cat", count=1, first=50)
    fill(split_tree / "val" / "dog", count=2, first=60)
    splits = image_folder(root=str(split_tree))
    assert splits.val.labels.bincount().tolist() == [1, 2]
    assert len(splits.train) == 20


def test_the_first_images_of_a_split_are_of_all_classes(tmp_path):
    for number, name in enumerate(["cat", "dog", "eel"]):
        fill(tmp_path / name, count=40, first=40 * number)
    splits = image_folder(root=str(tmp_path), val_share=0.25, test_share=0.25)
    for part in (splits.val, splits.test):
        assert len(set(part.labels[:10].tolist())) == 3


def test_a_class_may_be_called_train(tmp_path):
    fill(tmp_path / "bus")
    fill(tmp_path / "train", first=10)
    assert image_folder(root=str(tmp_path)).classes == ("bus", "train")


def test_what_is_no_image_is_passed_over(tree):
    (tree / "README.txt").write_text("about")
    (tree / "cat" / "labels.csv").write_text("1,2")
    (tree / "cat" / ".hidden.png").write_text("no image")
    (tree / ".cache").mkdir()
    assert image_folder(root=str(tree)).train.labels.bincount().tolist() == [8, 8]


def test_converts_between_grey_and_colour_when_asked(tree):
    Image.new("L", (8, 8), 77).save(tree / "cat" / "000.png")
    splits = image_folder(root=str(tree), convert=True)
    assert splits.train.images.shape[1:] == (3, 8, 8)
    assert image_folder(root=str(tree), channels=1, convert=True).val.images.shape[1] == 1


def test_a_folder_decoded_once_is_not_decoded_again(tree, tmp_path):
    cache_dir = tmp_path / "cache"
    first = image_folder(root=str(tree), cache_dir=str(cache_dir))
    (kept,) = cache_dir.glob("*.pt")
    decoded = torch.load(kept)
    torch.save({**decoded, "pixels": torch.zeros(20, 3, 8, 8, dtype=torch.uint8)}, kept)
    again = image_folder(root=str(tree), cache_dir=str(cache_dir))
    assert first.train.images.any()
    assert not again.train.images.any()


def test_a_change_of_the_folder_or_of_the_settings_is_noticed(tree, tmp_path):
    def means(**settings):
        splits = image_folder(root=str(tree), cache_dir=str(tmp_path / "cache"), **settings)
        return splits.train.images.float().mean().item(), splits.train.images.shape[2]

    before = means()
    assert means(image_size=4)[1] == 4
    assert means() == before
    for path in tree.glob("*/*.png"):
        Image.new("RGB", (8, 8), (9, 9, 9)).save(path)
    assert means() == (9, 8)


def test_a_missing_folder(tmp_path):
    assert sentence(tmp_path / "x") == (
        f"data.root={tmp_path / 'x'} is not a folder; name one that holds {LAYOUT}."
    )


def test_no_folder_named():
    assert sentence(None) == f"data.root is not set; name a folder that holds {LAYOUT}."


def test_no_class_folders(tmp_path):
    colour(0).save(tmp_path / "a.png")
    assert sentence(tmp_path) == (
        f"data.root={tmp_path} has no class folders; images belong in root/<class>/, or in "
        f"root/train/<class>/ and root/test/<class>/. Left out: 1 x image outside the "
        f"class folders ('a.png')."
    )


def test_a_single_class(tmp_path):
    fill(tmp_path / "cat")
    assert sentence(tmp_path).startswith(
        f"data.root={tmp_path} has one class folder only, 'cat'; with nothing to distinguish"
    )


def test_an_empty_class(tree):
    (tree / "cow").mkdir()
    (tree / "cow" / "notes.txt").write_text("moo")
    assert sentence(tree).startswith(
        f"data.root={tree}: the class folder 'cow' holds no images (.jpg, .jpeg, .png, "
    )


def test_folders_inside_a_class(tree):
    assert sentence(tree.parent) == (
        f"data.root={tree.parent}: the class folder 'images' holds a folder 'cat'; images belong "
        f"directly in their class's folder."
    )


def test_training_images_without_test_images(split_tree):
    (split_tree / "test").rename(split_tree / "elsewhere")
    assert sentence(split_tree).startswith(
        f"data.root={split_tree} has train/ with class folders but not both train/ and test/;"
    )


def test_splits_with_different_classes(split_tree):
    fill(split_tree / "test" / "cow", count=1)
    assert sentence(split_tree) == (
        f"data.root={split_tree}: train/ and test/ must have the same class folders, but 'cow' is "
        f"in test/ only."
    )


@pytest.mark.parametrize("content", [b"", b"no image", "truncated"])
def test_a_broken_image(tree, content):
    path = tree / "dog" / "013.png"
    path.write_bytes(path.read_bytes()[:-60] if content == "truncated" else content)
    found = sentence(tree)
    assert found.startswith(f"data.root={tree}: 'dog/013.png' is not a readable image (")
    assert found.endswith(").")


def test_mixed_sizes(tree):
    colour(0, width=12, height=9).save(tree / "dog" / "013.png")
    assert sentence(tree) == (
        f"data.root={tree}: 'dog/013.png' has 12x9 pixels and 'cat/000.png' has 8x8; set "
        f"data.image_size to resize and crop all images to one size, for instance "
        f"data.image_size=8."
    )
    assert image_folder(root=str(tree), image_size=8).train.images.shape[2:] == (8, 8)


def test_a_grey_image_among_colour_ones(tree):
    Image.new("L", (8, 8), 77).save(tree / "dog" / "013.png")
    assert sentence(tree) == (
        f"data.root={tree}: 'dog/013.png' is grey and data.channels=3 asks for colour; set "
        f"data.convert=true to turn all images into colour, or data.channels=1 if all are grey."
    )


def test_colour_images_where_grey_ones_are_asked_for(tree):
    assert "'cat/000.png' is colour and data.channels=1 asks for grey;" in sentence(
        tree, channels=1
    )


def test_floating_point_images(tree):
    Image.fromarray(np.zeros((8, 8), dtype=np.float32)).save(tree / "dog" / "013.tiff")
    expected = "'dog/013.tiff' holds floating-point numbers, which have no common scale."
    assert sentence(tree) == f"data.root={tree}: {expected}"


def test_wrong_numbers(tree):
    assert sentence(tree, channels=2) == "data.channels must be 1 (grey) or 3 (colour), got 2."
    assert sentence(tree, image_size=0) == "data.image_size must be at least 1, got 0."
    assert "got 0.9 and 0.1" in sentence(tree, val_share=0.9)


def test_a_cache_that_cannot_be_written(tree, tmp_path):
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" / "cache"
    assert sentence(tree, cache_dir=str(place)).startswith(f"data.cache_dir={place} cannot be used")
