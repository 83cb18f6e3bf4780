"""ImageNet's relatives: which classes of a pack they are, and what is said where they are not."""

import shutil
from unittest import TestCase

import pytest
import torch
from packs import packed_folder, packed_images
from pictures import class_folders, jpeg

from trainables.data.imagenet import (
    imagenet,
    imagenet100,
    listed_classes,
    restricted_imagenet,
    tiny_imagenet,
)

IMAGENET100 = listed_classes(None)
RANGES = {"dog": [151, 268], "cat": [281, 285], "frog": [30, 32]}
SETS = {
    "imagenet": imagenet,
    "tiny_imagenet": tiny_imagenet,
    "imagenet100": imagenet100,
    "restricted_imagenet": lambda **how: restricted_imagenet(ranges=RANGES, **how),
}


def wnid(number):
    return f"n{number:08d}"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """All of ImageNet's 1,000 classes by name, and images of twelve of them."""
    numbers = (29, 30, 32, 33, 150, 151, 200, 268, 269, 281, 285, 286)
    images = {
        split: [
            (f"{split}/{wnid(n)}/{copy}.jpg", n, jpeg(n + copy)) for n in numbers for copy in (0, 1)
        ]
        for split in ("train", "val", "test")
    }
    out = tmp_path_factory.mktemp("whole")
    return packed_images(images, [wnid(n) for n in range(1000)], out)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Three of ImageNet-100's classes and one other."""
    names = (*IMAGENET100[3:6], "n99999999")
    folder = class_folders(tmp_path_factory.mktemp("few"), splits=("",), classes=names, each=20)
    return packed_folder(folder, tmp_path_factory.mktemp("few_packed"))


def test_restricted_imagenet_is_groups_of_classes_first_and_last_included(whole):
    splits = restricted_imagenet(root=str(whole), image_size=8, ranges=RANGES)
    assert splits.classes == ("dog", "cat", "frog")
    everything = imagenet(root=str(whole), image_size=8)
    expected = {30: 2, 32: 2, 151: 0, 200: 0, 268: 0, 281: 1, 285: 1}
    for ours, theirs in ((splits.train, everything.train), (splits.test, everything.test)):
        rows = [n for n, label in enumerate(theirs.labels.tolist()) if label in expected]
        assert ours.labels.tolist() == [expected[int(theirs.labels[row])] for row in rows]
        assert torch.equal(ours.pixels(slice(None)), theirs.pixels(torch.tensor(rows)))


def test_the_published_ranges_are_nine_groups_of_203_classes():
    from raystudy.config import compose

    ranges = compose.load("fast_at", ["data=restricted_imagenet"]).data.ranges
    assert len(ranges) == 9
    assert sum(last - first + 1 for first, last in ranges.values()) == 203


def test_imagenet100_is_a_hundred_classes():
    assert len(set(IMAGENET100)) == 100
    assert tuple(sorted(IMAGENET100)) == IMAGENET100


def test_a_file_chooses_other_classes_of_the_same_pack(few, tmp_path):
    chosen = sorted((IMAGENET100[4], "n99999999"))
    (tmp_path / "list").write_text("\n".join([chosen[1], "", f"{chosen[0]} "]))
    how = {"root": str(few), "image_size": 8, "class_list": str(tmp_path / "list")}
    splits = imagenet100(**how)
    assert splits.classes == tuple(chosen)
    assert splits.train.labels.unique().tolist() == [0, 1]
    assert len(splits.train) == len(imagenet(root=str(few), image_size=8).train) / 2
    in_memory = imagenet100(**how, in_memory=True)
    assert torch.equal(in_memory.val.pixels(slice(None)), splits.val.pixels(slice(None)))


@pytest.mark.parametrize(
    ("listed", "says"),
    [
        (None, r"ImageNet-100's list names 97 of 100 classes that are not in data\.root=.*'n0"),
        ("n99999999\nn99999998\n", r"class_list=.* names 1 of 2 .* such as 'n99999998'"),
        ("n99999999\nn99999999\n", r"class_list=.* lists 'n99999999' twice"),
        ("n99999999\n", r"class_list=.* lists one class; list at least two"),
        ("\n", r"class_list=.* is empty; name a file with one class a line"),
        ("\xff", r"class_list=.* cannot be read"),
        ("", r"class_list=.* is empty; name a file with one class a line"),
    ],
)
def test_a_class_list_that_does_not_match_is_said(few, tmp_path, listed, says):
    if listed is not None:
        (tmp_path / "list").write_bytes(listed.encode("latin-1"))
    path = None if listed is None else str(tmp_path / "list")
    with pytest.raises(ValueError, match=says):
        imagenet100(root=str(few), image_size=8, class_list=path)


def test_a_class_list_that_is_not_there_is_said(few, tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ValueError, match=r"data\.class_list=.* cannot be read"):
            imagenet100(root=str(few), image_size=8, class_list=str(path))


@pytest.mark.parametrize(
    "bounds", [[151], [151, 268, 3], [5, 4], [-1, 4], [990, 1000], [268, 300], []], ids=str
)
def test_ranges_that_are_none_are_said(whole, bounds):
    with pytest.raises(ValueError, match=r"data\.ranges\.\w+ must be the first and the last"):
        restricted_imagenet(root=str(whole), image_size=8, ranges={**RANGES, "eel": bounds})


def test_restricted_imagenet_wants_all_classes(few):
    with pytest.raises(ValueError, match=r"counts ImageNet's 1,000 classes, and .* has 4"):
        restricted_imagenet(root=str(few), image_size=8, ranges=RANGES)


def test_a_pack_of_part_of_the_classes_is_used_and_said(few):
    with TestCase().assertLogs("trainables.data") as logged:
        assert tiny_imagenet(root=str(few), image_size=8).num_classes == 4
    assert "has 4 classes and Tiny ImageNet has 200" in "".join(logged.output)


@pytest.mark.parametrize("name", SETS)
def test_a_pack_being_written_is_not_read(few, tmp_path, name):
    shutil.copytree(few, tmp_path / "pack")
    (tmp_path / "pack" / "unfinished.json").touch()
    with pytest.raises(ValueError, match="is being packed, or was interrupted"):
        SETS[name](root=str(tmp_path / "pack"), image_size=8)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("root", [None, "folder", "nowhere", "~nobody-here/x"])
def test_the_layout_is_said_where_there_is_no_pack(tmp_path, name, root):
    (tmp_path / "folder" / "train").mkdir(parents=True)
    where = str(tmp_path / root) if root and root[0] != "~" else root
    says = r"data\.root.*'raystudy pack FOLDER OUT', where FOLDER has train/<class>/.*root=OUT\."
    with pytest.raises(ValueError, match=says):
        SETS[name](root=where, image_size=8)
