"""``raystudy look``: which pictures, of what, where to, and what MLflow gets."""

import pytest
import torch

from raystudy.cli.look import look
from raystudy.config import compose
from raystudy.errors import UserError
from raystudy.evaluation.network import open_trained
from raystudy.evaluation.pictures import PICTURES, make_pictures, make_subject
from raystudy.storage import checkpoint
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.trial.build import build_method
from trainables.pictures.features import UMAPMap
from trainables.protocols.base import Classifier

QUICK = [
    "features.images=40",
    "adversarial.steps=1",
    "visualisation.steps=1",
    "interpolation.steps=4",
    "interpolation.pairs=1",
    "large.steps=1",
    "large.classes=3",
]
ALL = sorted(f"{name}.png" for name in PICTURES if name != "umap" or UMAPMap.is_installed())
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    return tmp_path


def trial(home, name="swaro", overrides=("tracker=none",)):
    """Leave a single trial's folder with weights that are as they were drawn."""
    folder = create_study_folder(home, f"train-{name}")
    manifest = {"kind": "train", "name": name, "overrides": list(overrides), "search_path": []}
    folder.write_manifest(Manifest.read(manifest))
    folder.trial(0).path.mkdir(parents=True)
    checkpoint.save_weights(build_method(compose.load(name, [])), folder.trial(0).best_weights)
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_picture_is_written_beside_the_weights_and_its_place_told(home, capsys):
    folder = trial(home)
    assert look(folder.id, QUICK, []) == 0
    pictures = folder.trial(0).path / "pictures"
    assert names(pictures) == ALL
    told = capsys.readouterr().out.split()
    assert sorted(told) == sorted(str(pictures / name) for name in ALL)
    for name in ALL:
        content = (pictures / name).read_bytes()
        assert content.startswith(PNG)
        assert len(content) < 300_000


def test_chosen_pictures_go_where_the_user_says_and_are_the_same_twice(home, tmp_path):
    folder = trial(home)
    for place in ("a", "b"):
        chosen = ["views", "visualisation"]
        look(folder.id, QUICK, [], pictures=chosen, output=str(tmp_path / place))
    for name in ("views.png", "visualisation.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert names(tmp_path / "a") == ["views.png", "visualisation.png"]
    assert not (folder.trial(0).path / "pictures").exists()


def test_a_trial_with_a_head_is_attacked_by_its_own_classifier_and_attack(home):
    trained = open_trained(trial(home, "cross_entropy").id, [])
    subject = make_subject(trained, with_classifier=True)
    assert isinstance(subject.classifier, Classifier)
    assert subject.classifier.head is trained.method.head
    assert subject.attack.ball.epsilon == trained.config.evaluate.classifier.attack.ball.epsilon


def test_a_trial_judged_by_a_probe_is_attacked_through_a_fitted_layer(home):
    trained = open_trained(trial(home).id, [])
    subject = make_subject(trained, with_classifier=True)
    assert subject.attack.ball.epsilon == trained.config.evaluate.probe.attack.ball.epsilon
    with torch.no_grad():
        said = subject.classifier(trained.splits.val.pixels(slice(None))).argmax(dim=1)
    assert (said == trained.splits.val.labels).float().mean() > 0.5  # chance is 0.1
    assert make_subject(trained, with_classifier=False).classifier is None


def test_weights_from_elsewhere_have_every_picture_but_views(home, tmp_path):
    trained = open_trained(trial(home, "simclr").id, [])
    path = tmp_path / "foreign.safetensors"
    checkpoint.save_weights(trained.encoder, path)
    look(str(path), QUICK, [])
    assert names(tmp_path / "pictures") == [name for name in ALL if name != "views.png"]
    with pytest.raises(UserError, match="'views' needs a method"):
        look(str(path), [], [], pictures=["views"])


def test_a_run_that_the_tracker_does_not_know_is_one_line(home, capsys):
    folder = trial(home, overrides=())
    assert look(folder.id, [], [], pictures=["views"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"MLflow gets nothing of {folder.id}, which ran without it."


def test_settings_of_a_picture_reach_it():
    made = make_pictures(["large", "features"], ["large.steps=7", "features.perplexity=1e1"])
    assert list(made) == ["large", "features"]
    assert made["large"].steps == 7
    assert made["features"].perplexity == 10


@pytest.mark.parametrize(
    ("pictures", "settings", "words"),
    [
        (["tsne"], [], "no picture 'tsne'; there are features"),
        ([], ["large.step=3"], "did you mean 'large.steps'"),
        ([], ["large.colour=3"], "there are classes, epsilon"),
        ([], ["large.steps=1.5"], "must be a whole number, got '1.5'"),
        ([], ["large.epsilon=wide"], "must be a number, got 'wide'"),
        ([], ["large.steps=0"], "needs steps > 0"),
    ],
)
def test_what_does_not_fit_is_said_in_a_sentence(pictures, settings, words):
    with pytest.raises(UserError, match=words):
        make_pictures(pictures, settings)


def test_umap_is_asked_for_where_it_is_not_installed():
    if UMAPMap.is_installed():
        assert "umap" in make_pictures([], [])
    else:
        assert "umap" not in make_pictures([], [])
        with pytest.raises(UserError, match="pip install umap-learn"):
            make_pictures(["umap"], [])


def test_a_folder_that_cannot_be_written_to_is_said_in_a_sentence(home, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"--output: cannot write to .*file"):
        look(trial(home).id, [], [], pictures=["views"], output=str(tmp_path / "file"))
