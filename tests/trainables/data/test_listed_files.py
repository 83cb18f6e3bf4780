"""Lists of files: which images of a pack keep their label."""

import json

import pytest
import torch
from packs import packed_folder, packed_images
from pictures import class_folders, jpeg

from trainables.data.imagenet import imagenet100
from trainables.data.labelled_batches import LabelledBatches, Supervision
from trainables.data.pack.names import NAMES
from trainables.data.packed import packed
from trainables.protocols.label_share import LabelShare

CLASSES = ("n1", "n2", "n3")


@pytest.fixture
def pack(tmp_path):
    """Four training images of each class, named as ImageNet's, and one of every other split."""
    images = {
        split: [
            (f"in/{split}/{name}/{name}_{split}{n}.JPEG", label, jpeg(100 * label + n))
            for label, name in enumerate(CLASSES)
            for n in range(count)
        ]
        for split, count in (("train", 4), ("val", 1), ("test", 1))
    }
    return packed_images(images, list(CLASSES), tmp_path / "pack")


@pytest.fixture
def write(tmp_path):
    def run(*lines):
        (tmp_path / "list.txt").write_text("\n".join(lines))
        return str(tmp_path / "list.txt")

    return run


def kept(train, path):
    draw = Supervision(fraction=0.5, images_per_class=2, files=path)
    return torch.cat(draw.members(train.labels, train.images)).tolist()


def test_the_images_listed_keep_their_label_and_no_others(pack, write):
    train = packed(root=str(pack), image_size=8).train
    lines = [f"{name}_train{n}.JPEG" for name in CLASSES for n in (0, 3)]
    path = write(*lines, "n2_val0.JPEG")  # cut out of the training images: a search measures by it
    assert kept(train, path) == [0, 3, 4, 7, 8, 11]
    share = LabelShare(files=path).of(train)
    assert torch.equal(share.pixels(slice(None)), train.pixels(torch.tensor([0, 3, 4, 7, 8, 11])))
    supervision = Supervision(fraction=1.0, images_per_class=2, files=path)
    batches = LabelledBatches(train, batch_size=4, seed=0, labelled=supervision)
    for batch in batches.epoch(0):
        assert sorted(batch.indices[:6].tolist()) == [0, 3, 4, 7, 8, 11]


def test_a_list_of_the_whole_serves_some_of_its_classes(pack, write, tmp_path):
    (tmp_path / "classes").write_text("n3\nn1\n")
    train = imagenet100(root=str(pack), image_size=8, class_list=str(tmp_path / "classes")).train
    path = write(*(f"{name}/{name}_train{n}.JPEG" for name in CLASSES for n in (1, 2)))
    assert kept(train, path) == [1, 2, 5, 6]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["n1_train0.JPEG", "n1_train9.JPEG"], r"lists 1 of 2 files .* such as 'n1_train9.JPEG'"),
        (["1/n1_train0.JPEG"], r"lists 1 of 1 files that are not in data\.root="),
        (["n1_train0.JPEG", "n1_train0.JPEG"], r"lists 'n1_train0.JPEG' twice"),
        (
            ["n1_train0.JPEG", "n1_train1.JPEG"],
            r"labels\.files=.* must leave every class two .* leaves one 0 of 12 images",
        ),
        ([""], r"labels\.files=.* is empty; name a file with the names of image files"),
    ],
)
def test_a_list_that_does_not_match_is_said(pack, write, lines, says):
    train = packed(root=str(pack), image_size=8).train
    path = write(*lines)
    with pytest.raises(ValueError, match=says):
        kept(train, path)
    with pytest.raises(ValueError, match=says):
        LabelShare(files=path).of(train)


def test_a_name_of_several_images_is_written_with_its_folders(tmp_path, write):
    folder = class_folders(tmp_path / "in", splits=("",), each=20)
    train = packed(root=str(packed_folder(folder, tmp_path / "out")), image_size=8).train
    with pytest.raises(ValueError, match=r"lists '10.jpg', which 2 images .* with its folders"):
        kept(train, write("10.jpg"))
    assert (
        len(kept(train, write(*(f"{k}/{n}.jpg" for k in ("cat", "dog") for n in range(20))))) == 32
    )


def test_a_name_is_meant_of_train_where_the_splits_have_folders(tmp_path, write):
    names = ("n1/1.JPEG", "n1/2.JPEG", "n2/3.JPEG", "n2/4.JPEG")
    images = {
        split: [(f"{split}/{name}", n // 2, jpeg(n)) for n, name in enumerate(names)]
        for split in ("train", "val", "test")
    }
    pack = packed_images(images, ["n1", "n2"], tmp_path / "pack")
    train = packed(root=str(pack), image_size=8).train
    assert kept(train, write("1.JPEG", "2.JPEG", "n2/3.JPEG", "train/n2/4.JPEG")) == [0, 1, 2, 3]


def test_names_that_were_changed_or_never_kept_are_said(pack, write):
    train = packed(root=str(pack), image_size=8).train
    path = write("n1_train0.JPEG")
    names, meta = pack / "train" / NAMES, pack / "train" / "meta.json"
    names.write_text(names.read_text().replace("n1_train0", "n1_train8"))
    with pytest.raises(ValueError, match=r"names\.json is missing or was changed after packing"):
        kept(train, path)
    names.unlink()
    with pytest.raises(ValueError, match=r"names\.json is missing or was changed after packing"):
        kept(train, path)
    said = json.loads(meta.read_text())
    del said["names_sha256"]  # as packs of the first version are
    meta.write_text(json.dumps(said))
    assert len(packed(root=str(pack), image_size=8).train) == 12
    with pytest.raises(ValueError, match=r"kept no names of files, .* run the 'raystudy pack'"):
        kept(train, path)
