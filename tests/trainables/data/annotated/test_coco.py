"""The reader of COCO, on a drawn folder in its layout."""

import json

import pytest
from annotated_folders import coco_folder

from trainables.data.annotated.coco import category_ids, coco


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    return coco_folder(tmp_path_factory.mktemp("coco"))


def test_instances_have_labels_in_the_order_of_their_ids(drawn):
    splits = coco(root=str(drawn)).of("instances")
    assert splits.classes == ("person", "kite")
    assert category_ids(splits.truth) == [1, 38]
    scene = splits.train.annotations[0]
    assert (scene.height, scene.width) == (64, 64)
    # The crowd of the first image is left out.
    assert [(one.label, one.box) for one in scene.instances] == [
        (1, (6.0, 8.0, 30.0, 40.0)),
        (2, (36.0, 20.0, 56.0, 60.0)),
    ]


def test_an_image_with_nothing_in_it_is_none_to_fit_to_but_one_to_measure_on(drawn):
    splits = coco(root=str(drawn)).of("keypoints")
    assert (len(splits.train), len(splits.test)) == (3, 4)
    assert splits.test.annotations[3].instances == ()
    assert splits.classes == ("person",)
    assert all(len(one.instances) == 1 for one in splits.train.annotations)


def edited(root, change, task="instances", part="train2017"):
    path = root / "annotations" / f"{task}_{part}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def set_first(**values):
    return lambda content: content["annotations"][0].update(values)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c["images"].append({"id": 7, "file_name": "x.jpg", "height": 1, "width": 1}),
            r"instances_train2017.json lists x.jpg, which .*train2017 does not hold",
        ),
        (set_first(image_id=12345), r"annotation 1 is of image 12345, which is not listed"),
        (set_first(category_id=5), r"annotation 1 is of category 5"),
        (set_first(bbox=[1, 2, 3]), r"annotation 1 has the box \[1, 2, 3\]"),
        (set_first(bbox=[1, 2, 3, float("nan")]), r"annotation 1 has the box"),
        (set_first(bbox=None), r"does not annotate instances"),
        (set_first(segmentation="abc"), r"annotation 1 has a segmentation that is neither"),
        (set_first(segmentation=[[1, 2, float("inf"), 3, 4, 5]]), r"annotation 1 has a polygon"),
        (set_first(segmentation=[[1, 2, 1e9, 3, 4, 5]]), r"annotation 1 has a polygon"),
        (
            set_first(segmentation={"counts": [4], "size": [1000000, 1000000]}),
            r"annotation 1 has runs of \[1000000, 1000000\], its image is of \[64, 64\]",
        ),
        (set_first(keypoints=[1, 2, 3]), r"annotation 1 has 3 numbers of keypoints"),
        (lambda c: c.pop("categories"), r"'categories' is missing"),
        (lambda c: c["annotations"].insert(0, 5), r"does not annotate instances"),
        (lambda c: c["annotations"].clear(), r"annotates nothing"),
        (lambda c: c["images"].append(dict(c["images"][0])), r"two images have the same id"),
        (lambda c: c["categories"].pop(), r"is of category|have other classes"),
        (lambda c: c["categories"][0].update(name="dog"), r"have other classes"),
    ],
)
def test_annotations_that_cannot_be_are_one_sentence(tmp_path, change, sentence):
    edited(coco_folder(tmp_path, images=2), change)
    with pytest.raises(ValueError, match=sentence) as caught:
        coco(root=str(tmp_path)).of("instances")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_file_that_is_no_annotations_is_named(tmp_path, content):
    coco_folder(tmp_path, images=2)
    (tmp_path / "annotations/instances_val2017.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"instances_val2017.json does not annotate"):
        coco(root=str(tmp_path)).of("instances")


def test_instances_without_an_area_are_left_out(tmp_path):
    coco_folder(tmp_path, images=2)
    edited(tmp_path, set_first(bbox=[3, 4, 0, 9]))
    edited(tmp_path, lambda c: c["annotations"][1].update(segmentation=[[1, 2, 3, 4]]))
    with pytest.raises(ValueError, match="annotates nothing"):
        coco(root=str(tmp_path)).of("instances")


def test_another_layout_is_explained(tmp_path):
    with pytest.raises(ValueError, match=r"train2017/ and annotations/.*; unpack train2017.zip"):
        coco(root=str(tmp_path)).of("instances")
    with pytest.raises(ValueError, match=r"not a folder; .* train2017/, val2017/ and annotations/"):
        coco(root=str(tmp_path / "nowhere")).of("instances")
