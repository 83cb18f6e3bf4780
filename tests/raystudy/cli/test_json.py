"""Every verb that offers --json prints one valid JSON value, and nothing else, on stdout."""

import json
import math
import subprocess
import sys

import pytest
from stored_search import search

from raystudy import terminal
from raystudy.cli import main
from raystudy.cli.commands import table
from raystudy.cli.commands.arguments import JSON
from raystudy.cli.doctor import verb as doctor
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest

LITTLE = ["suite.max_images=10", "suite.attacks={}", "suite.checks=null"]
COMMANDS = {
    "plan": ["simclr", "max_epochs=1", "study.num_trials=2", "tracker=none"],
    "studies": [],
    "status": ["simclr-1"],
    "best": ["simclr-1"],
    "compare": ["simclr-1", "simclr-1"],
    "diff": ["simclr-1/0", "simclr-1/1"],
    "evaluate": ["once", "tracker=none", *LITTLE],
    "confirm": ["simclr-1", "tracker=none", "study.id=race"],
    "reproduce": [],
    "report": ["simclr-1", "tracker=none"],
    "show": ["swaro"],
    "list": [],
    "doctor": ["tracker=none", "scaling.address=127.0.0.1:1"],
}


def refuse(word):
    raise AssertionError(f"{word} is not JSON")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a results folder with a search whose last trial diverged, a trial and a race."""
    folder = tmp_path_factory.mktemp("home")
    search(folder, [0.3, 0.5, None])
    words = ["simclr", "max_epochs=1", "encoder.widths=[8,16]", "tracker=none", "study.id=once"]
    assert main.main(["train", *words, f"output_dir={folder}"]) == 0
    race = create_study_folder(folder, "race", "race")
    runners = [{"trial": number, "params": {}, "overrides": []} for number in (0, 1)]
    contest = {"study": "simclr-1", "top": 3, "seeds": [1, 2, 3, 4, 5], "configurations": runners}
    about = {"kind": "confirm", "name": "simclr", "overrides": [], "search_path": []}
    race.write_manifest(Manifest.read({**about, "confirm": contest}))
    told = {"conclusion": ["nothing beats it"], "p": math.nan}
    (race.path / "confirm.json").write_text(json.dumps(told))
    return folder


def test_all_verbs_that_offer_json_are_tried():
    commands = [command for group in table.GROUPS.values() for command in group]
    assert set(COMMANDS) == {command.name for command in commands if JSON in command.arguments}


@pytest.mark.parametrize("verb", COMMANDS)
def test_one_valid_value_on_stdout_and_nothing_else(home, capfd, monkeypatch, verb):
    monkeypatch.setenv("RAYSTUDY_HOME", str(home))
    monkeypatch.setattr(doctor, "LIMIT_S", 900.0)  # a busy machine is slow, not broken
    code = main.main([verb, *COMMANDS[verb], "--json"])
    assert code == (verb == "doctor")  # no Ray answers there
    told = json.loads(capfd.readouterr().out, parse_constant=refuse)
    assert told
    if verb == "doctor":
        assert "2 processes agree" in {check["found"] for check in told}


def test_what_is_not_finite_is_null(capsys):
    values = (1.5, -math.inf, {"nan": math.nan, "none": None, "whole": 3, "words": "nan"})
    terminal.print_json(values)
    out = capsys.readouterr().out
    assert json.loads(out, parse_constant=refuse) == [
        1.5,
        None,
        {"nan": None, "none": None, "whole": 3, "words": "nan"},
    ]


def test_a_reader_that_goes_away_is_no_failure():
    command = f"{sys.executable} -m raystudy.cli.main list | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "studies\n0\n"
    assert done.stderr == ""
