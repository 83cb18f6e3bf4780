"""A start that fails before the first trial leaves nothing: no folder, no study, no run."""

import errno
import sqlite3
from contextlib import closing

import pytest
import ray
from stored_search import search
from surrogate_study import open_study

from raystudy.cli import main
from raystudy.errors import UserError
from raystudy.storage.folders import StudyFolder
from raystudy.study.stored import StoredStudy
from raystudy.trial import images

SMALL = ["max_epochs=1", "encoder=small_conv"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def no_ray(monkeypatch):
    def fail(**_):
        raise ValueError("no memory")

    monkeypatch.setattr(ray, "init", fail)


def studies(home):
    return [path.name for path in (home / "studies").iterdir()]


def run(*words):
    return main.main([*words, *SMALL])


@pytest.mark.parametrize("verb", ["train", "sweep"])
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), ValueError(), KeyboardInterrupt()]
)
def test_digests_that_cannot_be_written(home, monkeypatch, verb, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(images, "save", fail)
    assert run(verb, "cross_entropy", "tracker=none") in (1, 130)
    assert studies(home) == []


@pytest.mark.usefixtures("no_ray")
def test_a_ray_that_does_not_start(home, tmp_path, capsys):
    storage = f"study.storage=sqlite:///{tmp_path}/optuna.db"
    for _ in range(2):  # the second time, the database knows nothing of the first
        assert run("sweep", "cross_entropy", storage) == 1
        assert "Ray did not start on this machine" in capsys.readouterr().err
        assert studies(home) == []
    with closing(sqlite3.connect(tmp_path / "optuna.db")) as database:
        assert database.execute("select count(*) from studies").fetchone() == (0,)
    assert not (home / "mlflow.db").exists()


@pytest.mark.usefixtures("no_ray")
def test_a_confirm_without_a_ray(home, capsys):
    searched = search(home, [0.5, 0.6], *SMALL, "tracker=none", name="cross_entropy")
    assert main.main(["confirm", searched.folder.id, "--top", "1", "--seeds", "2"]) == 1
    assert "Ray did not start on this machine" in capsys.readouterr().err
    assert studies(home) == [searched.folder.id]


@pytest.mark.usefixtures("no_ray")
def test_a_study_that_goes_on_keeps_what_it_has(home, capsys):
    searched = search(home, [0.5], "study.num_trials=2", *SMALL, "tracker=none")
    assert main.main(["resume", searched.folder.id]) == 1
    assert "Ray did not start on this machine" in capsys.readouterr().err
    assert len(StoredStudy(searched.folder).trials) == 1


def test_a_study_whose_first_trial_waits_for_a_worker_has_begun(tmp_path):
    folder = StudyFolder(tmp_path / "s")

    def begin():
        with folder.removed_unless_begun(), open_study(folder.path) as study:
            study.next_trial()
            raise ValueError("no worker")

    with pytest.raises(ValueError, match="no worker"):
        begin()
    assert folder.path.joinpath("trials").is_dir()


def test_an_earlier_study_that_does_not_fit_leaves_no_name_in_the_database(tmp_path):
    url = f"sqlite:///{tmp_path}/optuna.db"
    for _ in range(2):
        with pytest.raises(UserError, match="no study 'surrogate'"):
            open_study(tmp_path / "s", url=url, spec={"warm_start": "absent"}, resumed=False)
