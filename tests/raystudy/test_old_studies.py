"""Studies written by raystudy 0.1.0, whose study.json has format 1, are read as before."""

import json
import shutil
from pathlib import Path

import pytest

from raystudy.cli import main
from raystudy.storage.folders import StudyFolder
from raystudy.study import evaluated

FIXTURES = Path(__file__).parents[1] / "fixtures" / "format_1"


@pytest.fixture(name="home")
def make_home(tmp_path, monkeypatch):
    shutil.copytree(FIXTURES, tmp_path / "results")
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "results"))
    return tmp_path / "results"


@pytest.mark.usefixtures("home")
def test_all_are_listed_with_their_states(capsys):
    assert main.main(["studies", "--json"]) == 0
    states = {one["study"]: one["state"] for one in json.loads(capsys.readouterr().out)}
    assert states == {
        "old-sweep": "complete",
        "old-interrupted": "interrupted",
        "old-race": "complete",
        "old-train": "ended",
    }


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("verb", "study"),
    [
        ("status", "old-sweep"),
        ("status", "old-interrupted"),
        ("status", "old-race"),
        ("best", "old-interrupted"),
        ("report", "old-sweep"),  # and the race of its finalists
        ("report", "old-interrupted"),
    ],
)
def test_it_is_looked_at(verb, study, capsys):
    assert main.main([verb, study, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


@pytest.mark.usefixtures("home")
def test_the_best_trial_is_the_one_it_was(capsys):
    assert main.main(["best", "old-sweep", "--json"]) == 0
    assert '"number": 1' in capsys.readouterr().out


@pytest.mark.parametrize("study", ["old-sweep", "old-interrupted", "old-race", "old-train"])
def test_its_manifest_becomes_one_of_today_and_says_the_same(home, study):
    folder = StudyFolder(home / "studies" / study)
    before = folder.read_manifest()
    folder.write_manifest(before)
    assert folder.read_manifest() == before
    assert before.name == "at"


@pytest.mark.usefixtures("home")
def test_its_evaluation_is_read_and_not_repeated(home, capsys):
    kept = home / "studies/old-sweep/trials/0001/evaluations/quick.json"
    before = kept.read_text()
    assert main.main(["evaluate", "old-sweep/1", "--json"]) == 0
    assert kept.read_text() == before
    (shown,) = json.loads(capsys.readouterr().out)
    assert shown["seconds"] == json.loads(before)["seconds"]


def test_its_evaluation_has_the_fingerprints_of_one_of_today():
    kept = FIXTURES / "studies/old-sweep/trials/0001/evaluations/quick.json"
    clean = evaluated.read(kept)["protocols"]["quick"]["clean"]["fingerprint"]
    assert clean != json.loads(kept.read_text())["protocols"]["quick"]["clean"]["fingerprint"]
    assert clean == "e0207717d4af"
