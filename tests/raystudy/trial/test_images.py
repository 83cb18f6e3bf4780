"""A study and its networks know the images they were started on."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from raystudy.cli import main
from raystudy.config import recipe
from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder
from raystudy.trial import images
from trainables.data.image_folder import image_folder

SETTINGS = [
    *("data=image_folder", "data.image_size=8", "data.cache_dir=null", "encoder=small_conv"),
    *("max_epochs=1", "batch_size=8", "device=cpu", "tracker=none", "study.id=mine"),
    *("evaluate.classifier.attack.steps=1",),
]


def fill(root, first=0, count=20, classes=("cat", "dog")):
    for place, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + count):
            pixels = np.random.default_rng([place, number]).integers(0, 256, (8, 8, 3))
            Image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{number:03}.png")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return a results folder with a classifier trained on a folder of images beside it."""
    home = tmp_path_factory.mktemp("home")
    fill(home / "pictures")
    words = [*SETTINGS, f"data.root={home / 'pictures'}", f"output_dir={home}"]
    assert main.main(["train", "cross_entropy", *words]) == 0
    return home


@pytest.fixture
def home(trained, tmp_path, monkeypatch):
    """Return a copy of it, whose images may be changed."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "studies" / "mine" / "study.json"
    path.write_text(path.read_text().replace(str(trained), str(tmp_path)))
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    return tmp_path


def add(root):
    fill(root, first=20, count=10)


def remove(root):
    (root / "cat" / "003.png").unlink()


def replace(root):
    shutil.copy(root / "dog" / "004.png", root / "cat" / "003.png")


def rename(root):
    (root / "cat" / "003.png").rename(root / "cat" / "zzz.png")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (add, "since then 20 came (train 32 to 48, val 4 to 6, test 4 to 6)"),
        (remove, "1 went"),
        (replace, "1 came and 1 went"),
        (rename, "the same images were given other classes, names or splits"),
    ],
)
def test_other_images_are_not_gone_on_with(change, words, home, capsys):
    change(home / "pictures")
    for command in (["resume", "mine"], ["look", "mine"]):
        assert main.main(command) == 2
        said = capsys.readouterr().err
        assert "mine was started on other images of data=image_folder" in said
        assert words in said
        assert len(said.strip().splitlines()) == 1


def test_a_folder_that_moved_is_the_same(home):
    (home / "pictures").rename(home / "elsewhere")
    moved = f"data.root={home / 'elsewhere'}"
    assert main.main(["resume", "mine", moved]) == 0
    assert main.main(["resume", "mine"]) == 0  # which knows it from now on
    kept = json.loads((home / "studies" / "mine" / "study.json").read_text())
    assert kept["overrides"][-1] == moved


def test_a_network_is_measured_anew_on_images_that_came(home, capsys):
    def measured():
        assert main.main(["evaluate", "mine", "--json", *FAST]) == 0
        (record,) = json.loads(capsys.readouterr().out)
        return record["images"], record["data_fingerprint"]

    first = measured()
    assert measured() == first
    add(home / "pictures")
    assert first[0] == 4
    images, fingerprint = measured()
    assert images == 6
    assert fingerprint != first[1]


FAST = ["~suite.attacks", "suite.checks=null", "device=cpu"]


def channels_first(path):
    return np.ascontiguousarray(np.asarray(Image.open(path)).transpose(2, 0, 1)).tobytes()


def test_a_network_is_not_measured_on_images_it_was_trained_on(home, capsys):
    root = home / "pictures"
    splits = image_folder(root=str(root), image_size=8)
    shown, trained_on = (
        {one.numpy().tobytes() for one in part.images} for part in (splits.test, splits.train)
    )
    pixels = {path: channels_first(path) for path in sorted((root / "cat").iterdir())}
    source = next(path for path, one in pixels.items() if one in trained_on)
    for path in (path for path, one in pixels.items() if one in shown):
        shutil.copy(source, path)
    assert main.main(["evaluate", "mine", *FAST]) == 2
    assert "was trained on 2 of the 4 images it is to be measured on" in capsys.readouterr().err


def test_a_worker_whose_folder_differs_says_so(home):
    folder = StudyFolder(home / "studies" / "mine")
    manifest = folder.read_manifest()
    settings = load(manifest)
    add(home / "pictures")
    splits = image_folder(root=str(home / "pictures"), image_size=8)
    with pytest.raises(UserError, match="20 came"):
        images.refuse_others(folder, manifest, settings, splits)


def load(manifest):
    from raystudy.config import compose

    return compose.load(manifest.name, manifest.overrides)


def test_a_trial_with_other_data_of_its_own_is_let_through(home):
    folder = StudyFolder(home / "studies" / "mine")
    manifest = folder.read_manifest()
    settings = load(manifest)
    settings.data.splits.split_seed = 1
    splits = image_folder(root=str(home / "pictures"), image_size=8, split_seed=1)
    images.refuse_others(folder, manifest, settings, splits)


def test_a_study_from_before_images_were_noted_goes_on_with_its_cut(home, capsys):
    path = home / "studies" / "mine" / "study.json"
    kept = json.loads(path.read_text())
    old = {key: kept[key] for key in ("kind", "name", "overrides", "search_path")}
    path.write_text(json.dumps({**old, "format": 1}))
    (home / "studies" / "mine" / "images.npz").unlink()
    add(home / "pictures")
    assert main.main(["resume", "mine"]) == 0
    assert "before raystudy noted which images" in capsys.readouterr().err
    kept = json.loads(path.read_text())
    assert kept["overrides"][-1] == "++data.splits.cut=order"
    assert (kept["format"], kept["images"]["train"]) == (2, 48)


def test_a_yaml_that_cuts_otherwise_is_refused(home):
    folder = StudyFolder(home / "studies" / "mine")
    settings = load(folder.read_manifest())
    settings.data.splits.val_share = 0.3
    with pytest.raises(UserError, match=r"data\.splits\.val_share=0\.1, for which the YAML now"):
        recipe.refuse_another("mine", folder.read_manifest().recipe, settings)


@pytest.mark.parametrize("counts", [(60, 2), (40, 1), (25, 3)])
def test_two_classes_of_which_one_hardly_occurs_are_refused(counts, tmp_path, capsys):
    for name, count in zip(("cat", "dog"), counts, strict=True):
        fill(tmp_path / "few", count=count, classes=(name,))
    words = [*SETTINGS, f"data.root={tmp_path / 'few'}", f"output_dir={tmp_path}"]
    assert main.main(["train", "cross_entropy", *words]) == 2
    assert "images are of one class, 'cat'" in capsys.readouterr().err
    assert not (tmp_path / "studies").exists()


def test_so_few_images_that_all_are_of_one_class_are_not_measured_on(home, capsys):
    words = [*SETTINGS[:-2], f"data.root={home / 'pictures'}", "evaluate.classifier.max_images=1"]
    assert main.main(["train", "cross_entropy", *words]) == 2
    assert "evaluate.classifier.max_images=1: the first" in capsys.readouterr().err
    assert main.main(["evaluate", "mine", *FAST, "suite.max_images=1"]) == 2
    assert "suite.max_images=1: the first test images" in capsys.readouterr().err
