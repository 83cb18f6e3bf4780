"""Confirming a search as a user does."""

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from busy import PATIENCE_S, unhurried
from documents import write_examples
from shadows import shadow_modules
from stored_search import search

from raystudy.cli.confirm import confirm
from raystudy.cli.sweep import resume
from raystudy.errors import UserError
from raystudy.on_ray.job import load_and_run
from raystudy.storage import split_readings
from raystudy.storage.journal import Journal
from raystudy.study.in_process import ProcessExecutor

TINY = ["max_epochs=2", "evaluate_every=1", "study.num_trials=3", "device=cpu"]
SMALL = ["encoder.widths=[8,16]"]


def asked(home, *overrides, top=1, seeds=2, of="cross_entropy-1"):
    return confirm(of, [f"output_dir={home}", *overrides], top=top, seeds=seeds, as_json=False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"top": -1}, "--top must be at least 0, got -1"),
        ({"seeds": 1}, "--seeds must be at least 2, to estimate the seed-to-seed noise; got 1"),
        ({"overrides": ["optimizer.lr=1"]}, "'optimizer.lr' cannot change"),
        ({"overrides": ["seed=7"]}, "'seed' cannot change"),
        ({"overrides": ["study.seed=9"]}, "'study.seed' cannot change"),
        ({"overrides": ["study.num_trials=0"]}, "study.num_trials must be a whole number above 0"),
        ({"overrides": ["study.budget.wall_hours=0"]}, "study.budget.wall_hours must be above 0"),
        ({"overrides": ["study.budget.money=1"]}, "study.budget has passes"),
        ({"of": "rocl-1"}, "no study 'rocl-1'"),
        ({"overrides": ["study.id=cross_entropy-1"]}, "'cross_entropy-1' is not a confirm"),
    ],
)
def test_wrong_input_is_refused_in_a_sentence_and_nothing_is_made(tmp_path, settings, words):
    search(tmp_path, [0.5, 0.6], *TINY, name="cross_entropy")
    with pytest.raises(UserError, match=words):
        asked(tmp_path, *settings.pop("overrides", []), **settings)
    assert [path.name for path in (tmp_path / "studies").iterdir()] == ["cross_entropy-1"]


def epochs_told(folder):
    """How often each epoch of each run is in the journal."""
    journal = Journal(folder / "journal.log")
    told = {}
    for log in journal.read_logs(0):
        for key in log.get("user_attr", {}):
            if key.startswith("epoch:"):
                told.setdefault(log["trial_id"], []).append(int(key.removeprefix("epoch:")))
    journal.close()
    return told


@pytest.fixture
def searched(tmp_path):
    """Return the folder of a search among the settings of a method from outside."""
    mine = str(write_examples(tmp_path / "mine"))
    return search(
        tmp_path, [0.5, 0.6, 0.55], *TINY, *SMALL, name="align", search_path=[mine]
    ).folder


class InThisProcess(ProcessExecutor):
    """Stands for Ray's."""

    def __init__(self, _scaling, run=load_and_run):
        super().__init__(run)

    def connected(self):
        return nullcontext()


def assert_raced_and_read_once(searched):
    race = searched.path.with_name("align-1-confirm")
    assert epochs_told(race) == {number: [1, 2] for number in range(4)}
    assert len(json.loads((race / "test.json").read_text())) == 4
    (touch,) = split_readings.touches(searched.path)
    assert (touch["configurations"], touch["seeds"], touch["count"]) == ([0, 1], [1, 2], 4)
    summary = json.loads((searched.path / "confirm.json").read_text())
    assert [entry["trial"] for entry in summary["finalists"]] == [0, 1]
    assert all(len(entry["test"]["test/accuracy"]["values"]) == 2 for entry in summary["finalists"])
    return summary


def test_it_races_reads_the_test_split_once_and_concludes(tmp_path, capsys, monkeypatch, searched):
    monkeypatch.setattr("raystudy.on_ray.executor.RayExecutor", InThisProcess)
    assert asked(tmp_path, "tracker=none", of="align-1") == 0
    said = capsys.readouterr().out
    assert "conclusion: " in said
    assert "trial 1" in said
    summary = assert_raced_and_read_once(searched)
    # All is done: nothing runs, nothing is read.
    code = confirm("align-1", [f"output_dir={tmp_path}"], top=1, seeds=2, as_json=True)
    assert (code, json.loads(capsys.readouterr().out)) == (0, summary)
    assert resume("align-1-confirm", [f"output_dir={tmp_path}"]) == 0
    assert "conclusion: " in capsys.readouterr().out
    assert split_readings.count(searched.path) == 1


@pytest.mark.ray
@pytest.mark.slow
def test_it_races_on_ray_where_no_process_imports_from_where_it_was_typed(tmp_path, searched):
    shadow_modules(tmp_path)
    words = ["confirm", "align-1", "--top", "1", "--seeds", "2", "scaling.num_cpus=2"]
    race = subprocess.run(
        [Path(sys.executable).with_name("raystudy"), *words, "tracker=none"],
        env={**os.environ, "RAYSTUDY_HOME": str(tmp_path), "PYTHONPATH": ":nowhere"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert race.returncode == 0, race.stdout + race.stderr
    assert unhurried(race.stderr) == ""
    assert "conclusion: " in race.stdout
    assert_raced_and_read_once(searched)
