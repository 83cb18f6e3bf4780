"""What study.json keeps, and what it takes to go on with it."""

import dataclasses
import json

import pytest

from raystudy.errors import UserError
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import OLD_CUT, Cut, Manifest

CUT = Cut(fingerprint="abc", train=6, val=2, test=2)


def begun(kind="sweep", **more):
    return Manifest.start(
        kind,
        "swaro",
        ["seed=1"],
        [],
        data="digits",
        study={"name": "swaro"},
        recipe={"seed": 1},
        images=CUT,
        measured_on={"val/accuracy": 2},
        **more,
    )


@pytest.mark.parametrize("kind", ["sweep", "train", "confirm"])
def test_all_kinds_keep_recipe_images_and_driver(kind, tmp_path):
    folder = create_study_folder(tmp_path, "swaro")
    folder.write_manifest(begun(kind))
    kept = json.loads((folder.path / "study.json").read_text())
    assert kept["recipe"] == {"seed": 1}
    assert kept["images"] == dataclasses.asdict(CUT)
    assert kept["measured_on"] == {"val/accuracy": 2}
    assert len(kept["provenance"]) == 1
    assert folder.read_manifest().kind == kind


def test_every_driver_that_took_part_is_kept_once():
    first = begun()
    elsewhere = dataclasses.replace(first, drivers=({"host": "elsewhere"},))
    later = elsewhere.continued([], CUT)
    assert [driver["host"] for driver in later.drivers] == ["elsewhere", first.drivers[0]["host"]]
    assert later.continued([], CUT).drivers == later.drivers


def test_an_earlier_format_is_read():
    old = {"format": 1, "kind": "sweep", "name": "swaro", "overrides": ["seed=1"]}
    read = Manifest.read({**old, "search_path": [], "provenance": {"host": "then"}})
    assert read.drivers == ({"host": "then"},)
    assert (read.recipe, read.images, read.measured_on) == (None, None, {})
    assert Manifest.read(json.loads(json.dumps(read.plain()))) == read


def test_an_image_folder_of_an_earlier_format_stays_cut_as_it_was():
    old = {"format": 1, "kind": "train", "name": "simclr", "overrides": ["data=image_folder"]}
    read = Manifest.read(old)
    assert read.overrides == ("data=image_folder", OLD_CUT)
    assert Manifest.read(read.plain()).overrides == read.overrides


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"kind": "dance"}'])
def test_a_damaged_file_is_named(tmp_path, text):
    folder = create_study_folder(tmp_path, "swaro")
    (folder.path / "study.json").write_text(text)
    with pytest.raises(UserError, match=r"study\.json is no manifest of a study, or damaged"):
        folder.read_manifest()


def test_a_file_of_a_raystudy_to_come_is_refused(tmp_path):
    folder = create_study_folder(tmp_path, "swaro")
    (folder.path / "study.json").write_text('{"format": 99, "raystudy": "9.0"}')
    with pytest.raises(UserError, match=r"written by raystudy 9\.0"):
        folder.read_manifest()
