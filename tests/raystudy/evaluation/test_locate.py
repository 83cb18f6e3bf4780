"""What a user names: a study first, then a file."""

import pytest
from old_studies import copy_study

from raystudy.cli import main
from raystudy.errors import UserError
from raystudy.evaluation import locate
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return a results folder with single trials that left weights, under awkward ids."""
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for study_id in ("lr-0.1", "best.ckpt", "0.5", "a" * 32):
        folder = create_study_folder(tmp_path / "home", "x", study_id)
        folder.write_manifest(Manifest(kind="train", name="simclr"))
        folder.trial(0).path.mkdir(parents=True)
        folder.trial(0).best_weights.touch()
    return tmp_path


@pytest.mark.parametrize("study_id", ["lr-0.1", "best.ckpt", "0.5", "a" * 32])
@pytest.mark.parametrize("trial", ["", "/0"])
def test_a_study_that_is_there_is_meant_before_a_file(home, study_id, trial):
    (home / study_id).mkdir()
    (home / study_id / "0").touch()
    assert locate.find(study_id + trial, []).study.id == study_id


def test_a_file_beside_a_study_of_its_name_is_named_by_a_path(home):
    (home / "best.ckpt").touch()
    assert locate.find("./best.ckpt", []).study is None
    assert locate.find(str(home / "best.ckpt"), []).study is None


@pytest.mark.usefixtures("home")
def test_a_name_with_a_dot_that_is_neither_says_both():
    with pytest.raises(UserError, match=r"no study 'lr-0.2' in .* no file .*mean 'lr-0.1'"):
        locate.find("lr-0.2", [])


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("verb", ["evaluate", "look", "status", "report", "confirm", "export"])
def test_every_verb_finds_a_study_whose_id_has_a_dot(capsys, verb):
    main.main([verb, "lr-0.2"])
    assert "did you mean 'lr-0.1'?" in capsys.readouterr().err


@pytest.mark.parametrize(
    "verb", [["evaluate"], ["register", "--name", "x"], ["look"]], ids=" ".join
)
def test_a_run_of_a_confirm_is_named_for_none_is_the_best(tmp_path, monkeypatch, capsys, verb):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    copy_study(tmp_path, "old-race", "swaro-1-confirm")
    assert main.main([*verb, "swaro-1-confirm"]) == 2
    said = capsys.readouterr().err
    assert (
        "each of its runs is one seed of a configuration; name one, such as swaro-1-confirm/0 "
        in said
    )
    assert locate.find("swaro-1-confirm/0", []).number == 0
