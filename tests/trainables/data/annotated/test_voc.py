"""Readers of VOC, on drawn folders in its layout."""

import shutil

import pytest
import torch
from annotated_folders import picture, voc07_folder, voc12_folder, xml
from PIL import Image

from trainables.data.annotated.middles import middle
from trainables.data.annotated.voc import CLASSES, read_segments, voc07, voc12


@pytest.fixture
def root(tmp_path):
    return voc07_folder(tmp_path, images=3)


def test_each_image_has_a_row_of_classes_and_difficult_ones_count_neither_way(root):
    splits = voc07(root=str(root)).of("classes")
    assert (len(splits.train), len(splits.test), splits.classes) == (3, 3, CLASSES)
    first, second = splits.test.annotations[:2]
    # Image 0 has aeroplane, and every third class after it, the first of which is difficult.
    assert first.tolist()[:5] == [1, 0, -1, -1, 1]
    assert second.tolist()[:4] == [-1, -1, -1, 1]
    assert splits.train.annotations[0].tolist()[:2] == [1, 1]


def test_a_class_that_is_difficult_once_and_plain_once_is_there(root):
    file = root / "VOCdevkit/VOC2007/Annotations/000001.xml"
    file.write_text(xml(["dog"]).replace("</annotation>", xml(["dog"], ["dog"])[12:]))
    labels = voc07(root=str(root)).of("classes").train.annotations[0]
    assert labels[CLASSES.index("dog")] == 1


@pytest.mark.parametrize("inside", ["", "VOCdevkit", "VOCdevkit/VOC2007"])
def test_the_folder_above_or_the_years_own_will_do(root, inside):
    assert len(voc07(root=str(root / inside)).of("classes").train) == 3


def test_a_changed_annotation_or_image_is_another_set(root):
    marks = [voc07(root=str(root)).of("classes").fingerprint for _ in range(2)]
    folder = root / "VOCdevkit/VOC2007"
    (folder / "Annotations/000002.xml").write_text(xml(["cow"]))
    marks.append(voc07(root=str(root)).of("classes").fingerprint)
    picture(folder / "JPEGImages/000002.jpg", (30, 20), [], 9)
    marks.append(voc07(root=str(root)).of("classes").fingerprint)
    assert marks[0] == marks[1]
    assert len(set(marks)) == 3


FOLDER = "VOCdevkit/VOC2007"


@pytest.mark.parametrize(
    ("file", "content", "sentence"),
    [
        ("Annotations/000001.xml", "<annotation><object>", r"000001.xml is no XML"),
        ("Annotations/000001.xml", xml(["unicorn"]), r"000001.xml names 'unicorn'"),
        ("Annotations/000001.xml", "<annotation><object/></annotation>", r"000001.xml names ''"),
        ("Annotations/000001.xml", b"\xff\xfe\x00", r"000001.xml is not text"),
        ("Annotations/000001.xml", None, r"000001.xml cannot be read"),
        ("JPEGImages/000001.jpg", None, r"trainval.txt lists 000001.jpg, which .* does not hold"),
        ("ImageSets/Main/test.txt", None, r"test.txt cannot be read"),
        ("ImageSets/Main/test.txt", "\n \n", r"test.txt lists no image"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence_that_names_it(root, file, content, sentence):
    path = root / FOLDER / file
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=sentence) as caught:
        voc07(root=str(root)).of("classes")
    assert "\n" not in str(caught.value)


def test_entities_that_grow_without_end_are_no_xml(root):
    bomb = '<!DOCTYPE a [<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {chr(98 + k)} "{"&" + chr(97 + k) + ";"}' * 1 + f'{f"&{chr(97 + k)};" * 40}">'
        for k in range(8)
    )
    file = root / FOLDER / "Annotations/000001.xml"
    file.write_text(bomb + "]><annotation>&i;</annotation>")
    with pytest.raises(ValueError, match=r"000001.xml is no XML"):
        voc07(root=str(root)).of("classes")


def test_another_layout_is_explained(tmp_path):
    with pytest.raises(ValueError, match=r"VOCdevkit/VOC2007 .* unpack VOCtrainval_06-Nov-2007"):
        voc07(root=str(tmp_path)).of("classes")
    with pytest.raises(ValueError, match=r"not a folder; .* VOCdevkit/VOC2012 .*VOCtrainval_11"):
        voc12(root=str(tmp_path / "nowhere")).of("segments")
    with pytest.raises(ValueError, match=r"data=voc07 has classes, not instances; .* data=coco"):
        voc07(root=str(tmp_path)).of("instances")


def test_a_truncated_image_is_named_when_it_is_read(root):
    file = root / FOLDER / "JPEGImages/000001.jpg"
    file.write_bytes(file.read_bytes()[:300])
    images = voc07(root=str(root)).of("classes").train
    with pytest.raises(ValueError, match=r"000001.jpg is not a readable image"):
        images.read([1, 0])


def test_images_are_read_in_colour_or_grey_whatever_they_are(root):
    file = root / FOLDER / "JPEGImages/000001.jpg"
    Image.new("L", (20, 10), 77).save(file)
    colour, grey = (voc07(root=str(root), channels=n).of("classes").train.image(0) for n in (3, 1))
    assert (colour.shape, grey.shape) == ((3, 10, 20), (1, 10, 20))


@pytest.mark.parametrize("size", [(3, 20, 31), (3, 224, 500), (1, 7, 300)])
def test_a_middle_has_the_size_asked_for(size):
    found = middle(torch.full(size, 51, dtype=torch.uint8), 16)
    torch.testing.assert_close(found, torch.full((size[0], 16, 16), 0.2))


def test_segments_come_with_their_images(tmp_path):
    splits = voc12(root=str(voc12_folder(tmp_path, images=2))).of("segments")
    image, mask = splits.train.image(1), splits.train.annotations[1]
    segments = read_segments(mask, tuple(image.shape[1:]))
    assert segments.unique().tolist() == [0, 2, 255]
    green = image[:, segments == 2].float().mean(dim=1)
    assert green[1] > 150 > green[0]
    with pytest.raises(ValueError, match=r"is of \(48, 64\) pixels, its image of \(5, 5\)"):
        read_segments(mask, (5, 5))


def test_masks_that_hold_no_classes_are_refused(tmp_path):
    folder = voc12_folder(tmp_path, images=2) / "VOCdevkit/VOC2012"
    mask = folder / "SegmentationClass/2007_000000.png"
    for content, sentence in (
        (Image.new("RGB", (64, 48)), "holds RGB colours"),
        (Image.new("L", (64, 48), 99), "holds 99, which is no class"),
    ):
        content.save(mask)
        with pytest.raises(ValueError, match=sentence):
            read_segments(mask, (48, 64))
    mask.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="is not a readable PNG"):
        read_segments(mask, (48, 64))
    shutil.rmtree(folder / "SegmentationClass")
    (folder / "SegmentationClass").mkdir()
    with pytest.raises(ValueError, match=r"train.txt lists 2007_000000.png and 1 more"):
        voc12(root=str(tmp_path)).of("segments")
