"""What doctor says of packed images."""

import pytest
from packs import packed_folder
from pictures import class_folders

from raystudy.cli.doctor import images, verb
from raystudy.config import compose


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    folder = class_folders(tmp_path_factory.mktemp("in"), splits=("",), each=20, height=10)
    return packed_folder(folder, tmp_path_factory.mktemp("out"))


def settings(root):
    return compose.load("simclr", ["data=packed", f"data.root={root}", "data.image_size=8"])


def test_a_pack_is_opened_and_its_pace_is_reported(pack):
    (check,) = images.check_pack(settings(pack))
    assert check.verdict == "note"
    assert check.found.startswith("32 train images; a core reads ")


def test_a_damaged_pack_is_wrong(pack):
    (pack / "unfinished.json").touch()
    (check,) = images.check_pack(settings(pack))
    (pack / "unfinished.json").unlink()
    assert check.verdict == "wrong"
    assert "is being packed, or was interrupted" in check.found


@pytest.mark.parametrize("name", ["imagenet", "imagenet100", "tiny_imagenet"])
def test_data_that_are_a_pack_are_asked_as_well(name):
    assert images.is_packed(compose.load("simclr", [f"data={name}"]))


def test_other_data_are_not_asked():
    other = compose.load("simclr", ["data=digits"])
    assert "images" not in verb.all_probes(other, None)
