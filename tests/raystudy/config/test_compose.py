"""From a name and overrides to a configuration."""

import json
import math

import pytest
from omegaconf import OmegaConf
from PIL import Image

from raystudy.cli import main
from raystudy.config import catalogue, compose
from raystudy.errors import UserError


def refusal(*arguments):
    with pytest.raises(UserError) as caught:
        compose.load(*arguments)
    return str(caught.value)


def test_the_default_data_brings_its_recipe():
    settings = compose.load("swaro", [])
    assert settings.data.name == "digits"
    assert settings.encoder._target_.endswith("SmallConv")
    assert settings.max_epochs < 100


def test_other_data_brings_the_paper_scale():
    settings = compose.load("swaro", ["data=cifar10"])
    assert settings.encoder.depth == 18
    assert (settings.batch_size, settings.max_epochs) == (256, 2000)
    assert settings.clusters.num_clusters == 1000
    assert compose.load("swaro", ["data=cifar100"]).clusters.num_clusters == 5000


@pytest.mark.parametrize("study", ["moco", "rocl"])
@pytest.mark.parametrize(
    ("data", "is_said"),
    [("digits", False), ("cifar10", False), ("cifar100", False), ("restricted_imagenet", True)],
)
def test_settings_that_nobody_wrote_for_these_data_are_said_to_be_cifars(study, data, is_said):
    notes = compose.compose(study, [f"data={data}"]).notes
    assert [f"{study} has no recipe for {data}" in note for note in notes] == [True] * is_said


def test_a_users_own_study_is_for_whatever_its_folder_says(tmp_path):
    (tmp_path / "mine.yaml").write_text("defaults: [base, _self_]\nmax_epochs: 1\n")
    assert compose.compose("mine", ["data=restricted_imagenet"], [str(tmp_path)]).notes == ()


def test_what_is_typed_beats_the_recipe():
    settings = compose.load("swaro", ["encoder=resnet18", "max_epochs=7"])
    assert settings.encoder.depth == 18
    assert settings.max_epochs == 7


def test_pixels_are_shares_of_255():
    assert compose.load("swaro", ["data=cifar10"]).attack.ball.epsilon == 8 / 255


def test_floats_come_back_exactly():
    for value in (math.pi, 1e-300, 1 / 3, 0.1 + 0.2):
        assert compose.load("swaro", [f"optimizer.lr={value!r}"]).optimizer.lr == value


def test_an_unknown_setting_names_the_nearest():
    words = refusal("swaro", ["optimizer.learning_rte=0.1"])
    assert words.startswith("no setting 'optimizer.learning_rte' in swaro;")
    words = refusal("swaro", ["optimizer.momentun=0.1"])
    assert "did you mean 'optimizer.momentum'?" in words


def test_a_slip_in_the_last_word_is_mended():
    assert "did you mean 'clusters.num_clusters'?" in refusal("swaro", ["clusters.nmu_clusters=3"])


def test_an_unknown_option_lists_the_options():
    words = refusal("swaro", ["attack=pgd_inf"])
    assert "attack: no option 'pgd_inf'; did you mean 'pgd_linf'?" in words
    assert "fgsm_linf" in words


def test_an_unknown_study_names_the_nearest():
    assert "no study 'swarro'; did you mean 'swaro'?" in refusal("swarro", [])


@pytest.mark.parametrize("text", ["=", "optimizer.lr", "a b", "x=[", "optimizer.lr=choice(1"])
def test_what_does_not_parse_is_one_sentence(text):
    words = refusal("swaro", [text])
    assert "\n" not in words
    assert len(words) < 250


def test_a_users_own_folder_is_searched(tmp_path):
    (tmp_path / "mine.yaml").write_text("defaults:\n  - swaro\n  - _self_\nstudy: {name: mine}\n")
    (tmp_path / "attack").mkdir()
    (tmp_path / "attack" / "weak.yaml").write_text("# weak\nsteps: 1\n")
    assert "mine" in catalogue.study_names([str(tmp_path)])
    assert compose.load("mine", [], [str(tmp_path)]).study.name == "mine"
    assert compose.load("mine", ["attack=weak"], [str(tmp_path)]).attack.steps == 1


def test_flatten_gives_paths_that_are_overrides():
    settings = compose.load("swaro", [])
    leaves = compose.flatten(settings)
    assert leaves["attack.ball.epsilon"] == settings.attack.ball.epsilon
    for path, value in leaves.items():
        if isinstance(value, int | float) and not path.startswith("search"):
            assert OmegaConf.select(settings, path) == value


def folder_of_classes(root, *names):
    for name in names:
        (root / name).mkdir(parents=True)
    return f"data.root={root}"


def test_a_folder_of_images_tells_its_classes_wherever_they_are_asked_for(tmp_path):
    root = folder_of_classes(tmp_path, "cat", "dog", "eel")
    settings = compose.load("cross_entropy", ["data=image_folder", root])
    assert (settings.data.num_classes, settings.method.num_classes) == (3, 3)


def test_classes_are_counted_in_a_folder_that_is_split_already(tmp_path):
    for part in ("train", "test"):
        folder_of_classes(tmp_path / part, "cat", "dog")
    settings = compose.load("at", ["data=image_folder", f"data.root={tmp_path}"])
    assert settings.method.num_classes == 2


@pytest.mark.parametrize("root", [[], ["data.root=/nowhere"]], ids=["no root", "no folder"])
def test_classes_that_cannot_be_counted_are_shown_as_unknown(root, capsys):
    assert main.main(["show", "at", "data=image_folder", *root, "--json"]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["data.num_classes"]["value"] == "???"
    assert settings["method.num_classes"]["value"] == "???"


@pytest.mark.parametrize("data", [["data=digits"], ["data=image_folder", "data.image_size=8"]])
@pytest.mark.parametrize("verb", ["train", "sweep", "plan"])
def test_a_number_of_classes_that_contradicts_the_data_is_refused(
    verb, data, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "home"))
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (8, 8), (number, 0, 0)).save(
                tmp_path / "pictures" / name / f"{number}.png"
            )
    root = [f"data.root={tmp_path / 'pictures'}"] if len(data) > 1 else []
    words = ["at", *data, *root, "data.num_classes=7", "max_epochs=1", "tracker=none"]
    assert main.main([verb, *words]) == 2
    assert "data.num_classes must be" in capsys.readouterr().err
    assert not list((tmp_path / "home").glob("studies/*"))


@pytest.mark.parametrize("name", ["mine.yml", "optimizer/mine.yml", "recipe/swaro/digits2.YAML"])
def test_a_file_whose_ending_is_not_read_is_named(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/digits2.yaml").write_text("defaults:\n  - digits\n")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("defaults:\n  - base\n")
    study = "mine" if name == "mine.yml" else "swaro"
    overrides = {"optimizer/mine.yml": ["optimizer=mine"]}.get(name, ["data=digits2"])
    words = refusal(study, overrides, [str(tmp_path)])
    assert words == f"{tmp_path / name}: only files that end in .yaml are read; rename it."
