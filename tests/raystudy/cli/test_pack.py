"""``raystudy pack``: what becomes of folders, and what it says of those it cannot pack."""

import io
import json
import pickle
import re
import shutil
import tarfile

import numpy as np
import pytest
import torch
from pictures import class_folders, jpeg, picture
from PIL import Image

from raystudy.cli import main
from trainables.data.pack.layout import read_parts
from trainables.data.pack.names import read_names
from trainables.data.pack.reader import Reader


@pytest.fixture
def pack(tmp_path, capsys):
    def run(source, *options, out=tmp_path / "out"):
        code = main.main(["pack", str(source), str(out), *options])
        return code, " ".join(capsys.readouterr().err.split())

    return run


def opened(out):
    return read_parts(out)


def labels(part):
    return [part.meta.classes[label] for label in part.rows["label"]]


def test_a_jpeg_that_is_small_enough_is_kept_byte_for_byte(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    code, said = pack(root)
    assert code == 0, said
    part = opened(tmp_path / "out")["test"]
    files = {Reader(part, "").file(row) for row in range(len(part.rows))}
    assert files == {path.read_bytes() for path in (root / "test").rglob("*.jpg")}


def test_a_jpeg_that_only_pillow_reads_is_encoded_anew(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    file = root / "test" / "cat" / "0.jpg"
    whole = file.read_bytes()
    table = whole.index(b"\xff\xdb")
    file.write_bytes(whole[:table] + b"\x00\x00" + whole[table:])  # libjpeg warns of these bytes
    code, said = pack(root)
    assert code == 0, said
    part = opened(tmp_path / "out")["test"]
    assert all(Reader(part, "").pixels(row, fast=True).shape == (8, 8, 4) for row in range(20))


def test_it_says_beforehand_what_it_will_take(pack, tmp_path):
    code, said = pack(class_folders(tmp_path / "in", splits=("",), each=40), "--threads", "2")
    assert code == 0
    sizes = sum(path.stat().st_size for path in (tmp_path / "out").glob("*/images.bin"))
    foreseen = re.search(r"about ([\d.]+) KiB and .* on 2 cores", said)
    assert float(foreseen[1]) == pytest.approx(sizes / 1024, rel=0.05)


def test_a_large_image_is_shortened_and_stands_upright(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    exif = Image.Exif()
    exif[274] = 6  # the camera was held on its side
    picture(1, 60, 90).save(root / "test" / "cat" / "0.jpg", exif=exif)
    picture(1, 60, 90).convert("RGBA").save(root / "test" / "dog" / "0.png")
    assert pack(root, "--size", "20")[0] == 0
    rows = opened(tmp_path / "out")["test"].rows
    sizes = {(int(row["height"]), int(row["width"])) for row in rows}
    assert sizes == {(8, 8), (30, 20), (20, 30)}


@pytest.mark.parametrize("splits", [("",), ("train", "test"), ("train", "val", "test")])
def test_images_are_cut_and_mixed_as_a_folder_of_images_is(pack, tmp_path, splits):
    from trainables.data.image_folder import image_folder

    root = class_folders(tmp_path / "in", splits=splits, each=20)
    assert pack(root)[0] == 0
    theirs = image_folder(root=str(root))
    for name, part in opened(tmp_path / "out").items():
        reader, images = Reader(part, ""), getattr(theirs, name)
        assert images.labels.tolist() == part.rows["label"].tolist()
        for row, image in enumerate(images.images):
            pixels = reader.pixels(row, fast=False)
            assert np.array_equal(pixels[..., :3].transpose(2, 0, 1), image.numpy())


def test_a_tar_compressed_or_not_is_packed_as_its_folder(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    assert pack(root, out=tmp_path / "folder")[0] == 0
    for mode in ("", "gz", "xz"):
        archive = tmp_path / f"in.tar{mode}"
        with tarfile.open(archive, f"w:{mode}") as tar:
            tar.add(root, "deep/inside")
        assert pack(archive, out=tmp_path / f"tar{mode}")[0] == 0
        for name, part in opened(tmp_path / f"tar{mode}").items():
            same = opened(tmp_path / "folder")[name]
            assert sorted(part.rows["digest"]) == sorted(same.rows["digest"])


def test_imagenets_flat_validation_images_get_the_devkits_labels(pack, tmp_path):
    root = flat_validation(tmp_path / "in")
    as_published_devkit(root)
    code, said = pack(root)
    assert code == 0, said
    assert "val/ becomes the test split" in said
    part = opened(tmp_path / "out")["test"]
    found = {Reader(part, "").file(row): name for row, name in enumerate(labels(part))}
    assert [found[jpeg(100 + number)] for number in range(1, 5)] == ["n02", "n01", "n01", "n02"]


def tar_of(folder, path, mode="w"):
    with tarfile.open(path, mode) as tar:
        for file in sorted(folder.rglob("*")):
            tar.add(file, file.relative_to(folder), recursive=False)


def as_published(root):
    """Return ImageNet's tars: of tars of training images, of validation images, the devkit."""
    folder = flat_validation(root / "unpacked")
    as_published_devkit(folder / "kit")
    tars, out = root / "tars", root / "published"
    tars.mkdir()
    out.mkdir()
    for name in ("n01", "n02"):
        tar_of(folder / "train" / name, tars / f"{name}.tar")
    tar_of(tars, out / "ILSVRC2012_img_train.tar")
    tar_of(folder / "val", out / "ILSVRC2012_img_val.tar")
    tar_of(folder / "kit", out / "ILSVRC2012_devkit_t12.tar.gz", "w:gz")
    return folder, out


def as_published_devkit(root):
    from scipy.io import savemat

    data = root / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    synsets = np.array(
        [(1, "n02", 0), (2, "n01", 0)],
        dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")],
    )
    savemat(data / "meta.mat", {"synsets": synsets})
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("1\n2\n2\n1\n")


def contents(out):
    return {
        split: {Reader(part, "").file(row): name for row, name in enumerate(labels(part))}
        for split, part in opened(out).items()
    }


def test_imagenets_tars_are_packed_as_what_they_unpack_to(pack, tmp_path):
    folder, published = as_published(tmp_path / "in")
    code, said = pack(folder, out=tmp_path / "plain")
    assert code == 0, said
    code, said = pack(published)
    assert code == 0, said
    assert "left out 2: 1 x .txt file ('devkit/" in said
    assert contents(tmp_path / "out") == contents(tmp_path / "plain")
    code, said = pack(published / "ILSVRC2012_img_train.tar", out=tmp_path / "train")
    assert code == 0, said
    assert opened(tmp_path / "train")["train"].meta.classes == ["n01", "n02"]
    (published / "ILSVRC2012_img_val.tar").unlink()
    shutil.copytree(folder / "val", published / "val")
    code, said = pack(published, out=tmp_path / "half")
    assert code == 0, said
    assert contents(tmp_path / "half") == contents(tmp_path / "plain")


def test_a_damaged_tar_in_a_tar_is_named(pack, tmp_path):
    _, published = as_published(tmp_path / "in")
    train = tmp_path / "in" / "tars"
    (train / "n02.tar").write_bytes(b"no tar at all" * 99)
    tar_of(train, published / "ILSVRC2012_img_train.tar")
    code, said = pack(published)
    assert code == 2
    assert "ILSVRC2012_img_train.tar is no tar file that can be read ('n02.tar' inside it: " in said


def flat_validation(root):
    """Return a train/ of two classes with a flat val/ of four images."""
    class_folders(root, splits=("train",), classes=("n01", "n02"))
    (root / "val").mkdir()
    for number in range(1, 5):
        name = f"ILSVRC2012_val_{number:08}.JPEG"
        (root / "val" / name).write_bytes(jpeg(100 + number))
    return root


def as_torchvision_keeps_it(root):
    torch.save(({"n01": ("a",), "n02": ("b",)}, ["n02", "n01", "n01", "n02"]), root / "meta.bin")


def as_kaggle_gives_it(root):
    kinds = enumerate(["n02", "n01", "n01", "n02"], 1)
    lines = [f"ILSVRC2012_val_{number:08},{kind} 1 2 3 4 \n" for number, kind in kinds]
    (root / "LOC_val_solution.csv").write_text("".join(["ImageId,PredictionString\n", *lines]))


@pytest.mark.parametrize("write", [as_torchvision_keeps_it, as_kaggle_gives_it])
def test_other_files_with_imagenets_labels_are_read_too(pack, tmp_path, write):
    root = flat_validation(tmp_path / "in")
    write(root)
    code, said = pack(root)
    assert code == 0, said
    part = opened(tmp_path / "out")["test"]
    found = {Reader(part, "").file(row): name for row, name in enumerate(labels(part))}
    assert [found[jpeg(100 + number)] for number in range(1, 5)] == ["n02", "n01", "n01", "n02"]


def test_flat_validation_images_without_labels_are_refused(pack, tmp_path):
    root = flat_validation(tmp_path / "in")
    code, said = pack(root)
    assert code == 2
    assert "keep the file with their labels" in said
    torch.save(({}, ["n01"]), root / "meta.bin")
    assert "4 validation images and labels of 1 in 'meta.bin'" in pack(root)[1]
    (root / "meta.bin").write_bytes(pickle.dumps(Harm()))
    code, said = pack(root)
    assert code == 2
    assert "'meta.bin', which cannot be read" in said


def test_tiny_imagenet_is_read_with_its_annotations(pack, tmp_path):
    root = tmp_path / "tiny-imagenet-200"
    for name in ("n01", "n02"):
        class_folders(root / "train" / name, splits=("images",), classes=("",))
        (root / "train" / name / f"{name}_boxes.txt").write_text("0.jpg\t0\t0\t7\t7\n")
    for split in ("val", "test"):
        (root / split / "images").mkdir(parents=True)
        for number in range(4):
            content = jpeg(100 + number)
            (root / split / "images" / f"{split}_{number}.JPEG").write_bytes(content)
    lines = [f"val_{number}.JPEG\tn0{1 + number % 2}\t0\t0\t7\t7\n" for number in range(4)]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    code, said = pack(root)
    assert code == 0, said
    assert "4 x image of test/ without a class" in said
    part = opened(tmp_path / "out")["test"]
    assert sorted(labels(part)) == ["n01", "n01", "n02", "n02"]


def test_what_is_no_image_is_refused_by_name_and_the_rest_is_not_lost(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    broken = root / "train" / "cat" / "3.jpg"
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    (root / "train" / "dog" / "4.jpg").write_text("not an image")
    code, said = pack(root)
    assert code == 2
    assert "'train/cat/3.jpg'" in said
    assert "'train/dog/4.jpg'" in said
    with pytest.raises(ValueError, match="was interrupted"):
        read_parts(tmp_path / "out")
    broken.write_bytes(whole)
    (root / "train" / "dog" / "4.jpg").unlink()
    code, said = pack(root)
    assert code == 0, said
    assert sum(len(part.rows) for part in opened(tmp_path / "out").values()) == 39


def test_it_continues_where_it_was_interrupted(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    assert pack(root, out=tmp_path / "straight")[0] == 0
    (root / "train" / "cat" / "5.jpg").rename(tmp_path / "aside")
    (root / "train" / "cat" / "5.jpg").write_text("")
    assert pack(root)[0] == 2
    images = tmp_path / "out" / "train" / "images.bin"
    images.write_bytes(images.read_bytes() + b"half an image")
    (tmp_path / "aside").rename(root / "train" / "cat" / "5.jpg")
    assert pack(root)[0] == 0
    for name, part in opened(tmp_path / "out").items():
        same = opened(tmp_path / "straight")[name]
        assert part.rows["digest"].tolist() == same.rows["digest"].tolist()
        assert part.rows["label"].tolist() == same.rows["label"].tolist()


def test_a_second_call_verifies_and_finds_a_changed_byte(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    pack(root)
    code, said = pack(root)
    assert code == 0
    assert "was packed before; verified" in said
    images = tmp_path / "out" / "val" / "images.bin"
    content = bytearray(images.read_bytes())
    content[100] ^= 1
    images.write_bytes(content)
    code, said = pack(root)
    assert code == 2
    assert "image 0 of val/images.bin is not the one that was packed" in said


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda root: shutil.rmtree(root / "train"), "but no train/"),
        (lambda root: shutil.rmtree(root / "train" / "dog"), "in test/ that are not in train/"),
        (lambda root: root.rename(root.with_name("x")), "neither a folder nor a tar"),
        (lambda root: (shutil.rmtree(root), root.mkdir()), "holds no images"),
        (lambda root: (shutil.rmtree(root), root.write_text("a tar?")), "no tar file"),
    ],
)
def test_a_folder_that_cannot_be_packed_is_said_in_a_sentence(pack, tmp_path, spoil, says):
    root = class_folders(tmp_path / "in")
    spoil(root)
    code, said = pack(root)
    assert code == 2
    assert says in said
    assert "Traceback" not in said


def test_another_cut_is_another_pack(pack, tmp_path):
    root = class_folders(tmp_path / "in", splits=("",), each=20)
    assert pack(root)[0] == 0
    for other in (("--val-share", "0.2"), ("--seed", "1")):
        code, said = pack(root, *other)
        assert code == 2
        assert "is a pack of other images or with other settings" in said


def test_a_pack_of_a_version_that_kept_no_names_gets_them(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    assert pack(root)[0] == 0
    before = {
        part.folder: read_names(part.folder, part.meta)
        for part in opened(tmp_path / "out").values()
    }
    for folder in before:
        (folder / "names.json").unlink()
        said = json.loads((folder / "meta.json").read_text())
        del said["names_sha256"]
        (folder / "meta.json").write_text(json.dumps(said))
    assert pack(root)[0] == 0
    for part in opened(tmp_path / "out").values():
        assert read_names(part.folder, part.meta) == before[part.folder]


def test_another_folder_or_other_settings_do_not_overwrite_a_pack(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    assert pack(root)[0] == 0
    before = (tmp_path / "out" / "train" / "images.bin").read_bytes()
    for other in (("--size", "4"), ("--quality", "10")):
        code, said = pack(root, *other)
        assert code == 2
        assert "is a pack of other images or with other settings" in said
    assert (tmp_path / "out" / "train" / "images.bin").read_bytes() == before
    code, said = pack(root, out=tmp_path / "in" / "out")
    assert code == 2
    assert "is inside" in said
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("")
    assert "is not empty and no pack" in pack(root, out=tmp_path / "mine")[1]


def test_numbers_out_of_range_are_refused(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    for option, value, says in (
        ("--size", "0", "--size must be between"),
        ("--quality", "101", "--quality must be between"),
        ("--threads", "0", "--threads must be at least 1"),
        ("--val-share", "1", "val_share"),
    ):
        code, said = pack(root, option, value)
        assert (code, says in said) == (2, True), said


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda out: (out / "unfinished.json").touch(), "is being packed, or was interrupted"),
        (lambda out: (out / "val" / "meta.json").unlink(), "there is no val/meta.json"),
        (lambda out: _truncate(out / "train" / "images.bin"), "it was truncated or changed"),
        (lambda out: _truncate(out / "train" / "index.npy"), "was changed after packing"),
        (lambda out: _say(out, format=2), "is of format 2, and this raystudy reads format 1"),
        (lambda out: _say(out, classes=["a", "b"]), "different lists of classes"),
        (lambda out: _say(out, classes="cat"), "lacks what belongs there"),
        (lambda out: (out / "train" / "meta.json").write_text("{"), "cannot be read"),
        (lambda out: _index(out, "offset", 10**9), "points outside images.bin"),
        (lambda out: _index(out, "offset", 2**63 - 1), "points outside images.bin"),
        (lambda out: _say(out, classes=["cat", "cat"]), "classes that are no different names"),
        (lambda out: _say(out, classes=[1, 2]), "classes that are no different names"),
        (lambda out: _index(out, "label", 7), "has label 7 and there are 2 classes"),
        (lambda out: _index(out, "pickle", None), "cannot be read"),
    ],
)
def test_a_damaged_pack_is_refused_in_a_sentence(pack, tmp_path, spoil, says):
    pack(class_folders(tmp_path / "in"))
    spoil(tmp_path / "out")
    with pytest.raises(ValueError, match=says):
        read_parts(tmp_path / "out")


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def _say(out, **what):
    path = out / "train" / "meta.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | what))


class Harm:
    """What unpickling runs."""

    def __reduce__(self):
        return (pytest.fail, ("a file of the pack was executed",))


def _index(out, field, value):
    from trainables.data.pack.layout import sha256_of

    path = out / "train" / "index.npy"
    rows = np.load(path)
    if value is None:
        file = io.BytesIO()
        np.save(file, np.array([Harm()], dtype=object), allow_pickle=True)
        path.write_bytes(file.getvalue())
    else:
        rows[field][3] = value
        np.save(path, rows)
    _say(out, index_sha256=sha256_of(path))


@pytest.mark.ray
def test_tasks_of_ray_pack_the_same_bytes_and_others_finish_what_they_left(pack, tmp_path):
    root = class_folders(tmp_path / "in", splits=("",))
    assert pack(root, out=tmp_path / "here")[0] == 0
    last = sorted(root.rglob("*.jpg"))[-1]
    whole = last.read_bytes()
    last.write_bytes(b"no image")
    code, said = pack(root, "scaling=local", "scaling.num_cpus=1")
    assert code == 2
    assert f"(of no known format) ('{last.relative_to(root)}'); repair or remove them" in said
    last.write_bytes(whole)
    assert pack(root)[0] == 0
    for name, part in opened(tmp_path / "here").items():
        theirs = opened(tmp_path / "out")[name]
        assert (theirs.folder / "images.bin").stat().st_size == part.meta.size_in_bytes
        files = [
            [Reader(one, "").file(row) for row in range(len(one.rows))] for one in (part, theirs)
        ]
        assert files[0] == files[1]


def test_settings_are_those_of_scaling(pack, tmp_path):
    root = class_folders(tmp_path / "in")
    code, said = pack(root, "max_epochs=3")
    assert code == 2
    assert "max_epochs=3 is no setting of this command; it takes those of scaling" in said
    assert not (tmp_path / "out").exists()
