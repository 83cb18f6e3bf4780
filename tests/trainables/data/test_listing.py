"""What of a folder is read, and what is left out and said."""

import logging
import os
import socket
from unittest import TestCase

import numpy as np
import pytest
from PIL import Image

from trainables.data.fingerprint import fingerprint
from trainables.data.image_folder import image_folder
from trainables.data.listing import find_folder, find_parts, list_part
from trainables.data.tally import Tally

SYSTEM = ["__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"]


def save(path, kind="PNG", seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(os.fsencode(path), kind)


@pytest.fixture
def tree(tmp_path):
    """Two classes of ten images."""
    root = tmp_path / "images"
    for number in range(20):
        save(root / ("cat" if number < 10 else "dog") / f"{number:03}.png", seed=number)
    return root


def listed(root):
    """Return the files that are read and what is left out."""
    left_out = Tally()
    folder = find_folder(str(root), "")
    parts = [list_part(folder, name, left_out) for name in find_parts(folder, left_out)]
    return [file.name for part in parts for file in part.files], left_out


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("x.jfif", "JPEG"), ("x.JPG", "JPEG"), ("x.jpe", "JPEG"), ("x.pjpeg", "JPEG")),
        *(("x.jp2", "JPEG2000"), ("x.avif", "AVIF"), ("x.tga", "TGA"), ("x.dib", "DIB")),
        *(("x", "PNG"), ("IMG 2026.11.03", "JPEG"), ("x.png ", "PNG"), ("x.jpg", "PNG")),
    ],
)
def test_what_pillow_decodes_is_an_image_whatever_its_ending(tree, name, kind):
    save(tree / "cat" / name, kind)
    found, left_out = listed(tree)
    assert f"cat/{name}" in found
    assert not left_out.counts
    assert image_folder(root=str(tree)).train.images.shape[1:] == (3, 8, 8)


def test_links_that_lead_nowhere_are_left_out_and_counted(tree):
    (tree / "cat" / "gone.png").symlink_to("/nowhere/x.png")
    (tree / "cat" / "circle.png").symlink_to("circle.png")
    (tree / "cow").symlink_to("/nowhere/cow")
    (tree / "cat" / "there.png").symlink_to(tree / "dog" / "010.png")
    found, left_out = listed(tree)
    assert len(found) == 21
    assert left_out.counts == {"link that leads nowhere": 3}
    assert str(left_out) == (
        "3 x link that leads nowhere ('cat/circle.png', 'cat/gone.png', 'cow')"
    )


def test_a_class_may_be_a_link_to_a_folder(tree, tmp_path):
    (tree / "dog").rename(tmp_path / "elsewhere")
    (tree / "dog").symlink_to(tmp_path / "elsewhere")
    assert len(listed(tree)[0]) == 20


@pytest.mark.parametrize("place", ["", "cat"])
def test_folders_of_operating_systems_are_neither_classes_nor_in_the_way(tree, place):
    for name in [*SYSTEM, ".ipynb_checkpoints"]:
        save(tree / place / name / "x.png")
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._000.png"):
        (tree / place / name).write_bytes(b"x")
    found, left_out = listed(tree)
    assert len(found) == 20
    assert left_out.counts == {"hidden or an operating system's own": 10}


def test_a_pipe_and_a_socket_are_not_waited_for(tree, monkeypatch):
    os.mkfifo(tree / "cat" / "pipe.png")
    monkeypatch.chdir(tree)  # the path of a socket must be short
    with socket.socket(socket.AF_UNIX) as own:
        own.bind("cat/socket.png")
    assert listed(tree)[1].counts == {"neither file nor folder": 2}
    assert len(image_folder(root=str(tree)).train) == 16


def test_an_image_that_cannot_be_decoded_is_named_as_one(tree):
    for name in ("a.heic", "b.HEIC"):
        (tree / "cat" / name).write_bytes(b"x")
    assert str(listed(tree)[1]) == (
        "2 x .heic image, which cannot be decoded here: save it as .png or .jpg "
        "('cat/a.heic', 'cat/b.HEIC')"
    )


def test_other_files_are_counted_by_their_ending(tree):
    for number in range(5):
        (tree / "cat" / f"{number}.txt").write_text("x")
    (tree / "dog" / "labels").write_text("x")
    (tree / "README.md").write_text("x")
    save(tree / "loose.png")
    assert str(listed(tree)[1]) == (
        "5 x .txt file ('cat/0.txt', 'cat/1.txt', 'cat/2.txt', ...); 1 x .md file ('README.md'); "
        "1 x file without an ending, no image ('dog/labels'); "
        "1 x image outside the class folders ('loose.png')"
    )


def test_folders_beside_train_and_test_are_named(tmp_path):
    root = tmp_path / "split"
    for part in ("train", "test", "valid"):
        save(root / part / "cat" / "1.png")
        save(root / part / "dog" / "1.png")
    found, left_out = listed(root)
    assert len(found) == 4
    assert str(left_out) == "1 x folder outside the splits train/, val/ and test/ ('valid')"


def test_what_is_left_out_is_said_once(tree):
    (tree / "cat" / "x.txt").write_text("x")
    with TestCase().assertLogs("trainables.data", logging.INFO) as logged:
        for _ in range(3):
            image_folder(root=str(tree))
    said = [record.getMessage() for record in logged.records]
    assert said == [f"data.root={tree}: left out 1: 1 x .txt file ('cat/x.txt')"]


def test_a_test_folder_that_is_the_training_folder_is_refused(tree):
    (tree / "train").mkdir()
    for name in ("cat", "dog"):
        (tree / name).rename(tree / "train" / name)
    (tree / "test").symlink_to("train")
    with pytest.raises(ValueError, match="train/ and test/ are one and the same folder"):
        image_folder(root=str(tree))


def test_splits_without_class_folders_are_no_classes(tree):
    (tree / "cat").rename(tree / "train")
    (tree / "dog").rename(tree / "test")
    with pytest.raises(ValueError, match="test/ and train/ hold images and no class folders"):
        image_folder(root=str(tree))


@pytest.mark.parametrize("root", ["~nobody-of-this-name/x", "loop", "a\0b"])
def test_what_is_no_path_is_no_folder(tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ValueError, match=r"^data.root=.* is not a folder; name one that holds"):
        image_folder(root=root)


@pytest.mark.parametrize(
    "name",
    [
        *(b"caf\xe9", b"two\nlines", b"q'uo\"te", b"100%s {x} [b] $HOME", b" lead", b"trail "),
        *("\u202eabc\u05d0".encode(), "😀".encode(), b"n" * 240, b"-a=b,c(d)", b"back\\slash"),
    ],
)
def test_any_name_that_the_file_system_allows(tmp_path, name):
    root = tmp_path / os.fsdecode(name)
    for number in range(20):
        label = os.fsdecode(name) if number < 10 else "plain"
        save(root / label / f"{number}{os.fsdecode(name)}.png", "PNG", seed=number)
    caches = tmp_path / "cache" / os.fsdecode(name)
    first = image_folder(root=str(root), cache_dir=str(caches))
    again = image_folder(root=str(root), cache_dir=str(caches))
    assert set(first.classes) == {os.fsdecode(name), "plain"}
    assert (first.train.images == again.train.images).all()
    assert len(fingerprint(first)) == 12
    assert fingerprint(first) == fingerprint(again)
    assert len(list(caches.glob("*.pt"))) == 1
