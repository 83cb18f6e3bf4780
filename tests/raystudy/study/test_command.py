"""Every command that is shown, tagged, reported or kept runs as it stands, through a shell."""

import argparse
import json
import shlex
import subprocess
import sys

import pytest
from memory_tracker import MemoryTracker
from omegaconf import OmegaConf
from rich.table import Table

from raystudy import terminal
from raystudy.cli import parser
from raystudy.cli.status import best, status
from raystudy.config import compose
from raystudy.config.spec import StudySpec
from raystudy.interface import conclusion
from raystudy.report import reproduce
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.storage.plans import ConfirmPlan
from raystudy.study import command
from raystudy.study.info import StudyInfo
from raystudy.study.open_tracker import open_tracker
from raystudy.study.stored import StoredStudy
from raystudy.study.study import Outcome, Study
from raystudy.trackers.mlflow import events

AWKWARD = "it's [old] (1), b&c #d=é $HOME :smile:"
OWN = """
defaults: [simclr, _self_]
max_epochs: 1
study: {name: "another name"}
"""
SHIM = """#!{python}
import json, os, sys
print(json.dumps(sys.argv[1:]))
"""


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Run a line through bash, where ``raystudy`` says what it was given."""
    programs = tmp_path / "programs"
    programs.mkdir()
    shim = programs / "raystudy"
    shim.write_text(SHIM.format(python=sys.executable))
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")

    def run(line):
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return json.loads(done.stdout)

    return run


@pytest.fixture
def study(tmp_path):
    """Return a search whose every name and path is awkward, and what its trackers heard."""
    folder = tmp_path / AWKWARD / "mine"
    folder.mkdir(parents=True)
    (folder / "own study.yaml").write_text(OWN)
    overrides = ["study.objectives=[val/knn_accuracy]", "study.id=lr-0.1", f"+note={AWKWARD}"]
    space, composed = SearchSpace.load("own study", overrides, [str(folder)])
    output_dir = tmp_path / AWKWARD / "results"
    stored = create_study_folder(output_dir, "own study", "lr-0.1")
    manifest = Manifest(
        kind="sweep",
        name="own study",
        overrides=(*overrides, f"output_dir={output_dir}"),
        search_path=(str(folder),),
        data="digits",
    )
    stored.write_manifest(manifest)
    info = StudyInfo.of(
        stored, space, StudySpec.read(composed.config.study), manifest, resumed=False
    )
    memory = MemoryTracker()
    study = Study.open(
        info,
        space,
        sampler={"_target_": "optuna.samplers.RandomSampler"},
        trial_scheduler={"_target_": "optuna.pruners.NopPruner"},
        trackers=[memory],
    )
    with study:
        trial = study.next_trial()
        study.report(trial.number, 1, {"val/knn_accuracy": 0.5})
        study.finish(trial.number, Outcome("completed"))
    study.trial = trial
    return study


def printed(text):
    """Return the commands in what was printed."""
    return [
        line[line.index("raystudy ") :]
        for line in text.splitlines()
        if "raystudy " in line and not line.endswith("ended")
    ]


def says_the_trial(words, study):
    """Check that a command's words are those of the trial, and that its settings are."""
    options = argparse.Namespace(**parser.parse(words)[1])
    assert options.name == "own study"
    assert options.search_path == list(study.info.search_path)
    settings = compose.load(options.name, options.overrides, options.search_path)
    assert settings.note == AWKWARD
    assert settings.study.objectives == ["val/knn_accuracy"]
    assert settings.study.id is None  # that id is taken
    for path, value in study.trial.params.items():
        assert OmegaConf.select(settings, path) == value


def says_the_study(words, study, run="lr-0.1"):
    arguments = parser.parse(words)[1]
    names = [arguments[name] for name in ("study_id", "run", "study") if name in arguments]
    assert names == [run]
    shared = compose.load_shared(arguments["overrides"])
    assert shared.output_dir == str(study.info.folder.parent.parent)


def test_a_conclusion_prints_commands_that_run(study, shell, capsys):
    _, settings = StoredStudy.open(study.info.folder.parent.parent, "lr-0.1").composed
    conclusion.show(terminal.console(), study, open_tracker(settings))
    lines = printed(capsys.readouterr().out)
    replay, *others = (shell(line) for line in lines)
    says_the_trial(replay, study)
    assert [words[0] for words in others] == ["resume", "ui"]
    says_the_study(others[0], study)
    says_the_study(others[1], study)


def test_status_and_best_print_commands_that_run(study, shell, capsys):
    moved = f"output_dir={study.info.folder.parent.parent}"
    status("lr-0.1", [moved], as_json=False, follow=False)
    resume = printed(capsys.readouterr().out)[-1].partition("; test split")[0]
    says_the_study(shell(resume), study)
    best("lr-0.1", [moved], as_json=False)
    says_the_trial(shell(printed(capsys.readouterr().out)[-1]), study)
    best("lr-0.1", [moved], as_json=True)
    says_the_trial(shell(json.loads(capsys.readouterr().out)[0]["command"]), study)


def test_the_report_has_commands_that_run(study, shell):
    stored = StoredStudy.open(study.info.folder.parent.parent, "lr-0.1")
    found = {name: shell(line) for name, line in reproduce.commands(stored).items()}
    says_the_trial(found.pop("the same, written out"), study)
    assert found["sweep"][:2] == ["sweep", "own study"]
    assert not any(word.startswith("study.id=") for word in found["sweep"])
    says_the_study(found["resume"], study)
    says_the_study(found["this report"], study)
    says_the_study(found["replay trial 0"], study, "lr-0.1/0")


def test_mlflow_is_given_commands_that_run(study, shell):
    says_the_trial(shell(events.trial_started(study.trial)["command"]), study)
    begin = shell(events.study_started(study.info, parent_run=True, params={})["command"])
    options = argparse.Namespace(**parser.parse(begin)[1])
    assert (begin[0], options.name) == ("sweep", "own study")
    assert options.search_path == list(study.info.search_path)
    assert compose.load("own study", options.overrides, options.search_path).note == AWKWARD


def test_what_replays_a_trial_is_read_back_as_it_was():
    line = command.train("a b", ["x.y=[1,2]", "study.id=mine"], ["/tmp/c d"])
    assert command.read_train(line) == ("a b", ["x.y=[1,2]"], ["/tmp/c d"])
    with pytest.raises(ValueError, match="raystudy sweep"):
        command.read_train("raystudy sweep a")


def test_a_confirm_begins_from_its_search_and_not_from_a_yaml(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    folder = create_study_folder(tmp_path, "race", "race")
    plan = ConfirmPlan(study="lr-0.1", top=2, seeds=(5, 7), params={}, overrides={})
    manifest = Manifest(kind="confirm", name="swaro", confirm=plan)
    line = command.start(manifest, folder)
    assert shlex.split(line) == ["raystudy", "confirm", "lr-0.1", *("--top", "2", "--seeds", "2")]


def test_no_command_is_broken_and_brackets_are_no_markup(capsys):
    long = " ".join(["[red]a/path[/red] :smile: [/]"] * 60)
    terminal.console().print(long)
    assert capsys.readouterr().out == f"{long}\n"
    narrow = terminal.Terminal(width=20, force_terminal=True, color_system=None)
    narrow.print(f"next: raystudy train {long}")
    narrow.print("/a/path/that/is/longer/than/a/line and more")
    said = f"next: raystudy train {long}\n/a/path/that/is/longer/than/a/line and more\n"
    assert capsys.readouterr().out == said


def test_sentences_are_broken_between_words_on_a_terminal(capsys):
    words = [
        "no",
        "finalist",
        "differs",
        "by",
        "more",
        "than",
        "noise",
        "from",
        "the",
        "published",
        "recipe",
    ]
    narrow = terminal.Terminal(width=20, force_terminal=True, color_system=None)
    narrow.print(" ".join(words))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 20
    assert [word for line in lines for word in line.split()] == words


def test_tables_have_no_blanks_at_the_end_of_a_line_in_a_pipe(capsys):
    table = Table("a", "b", box=None)
    table.add_row("one", "two words")
    table.add_row("three", "")
    terminal.console().print(table)
    assert [line[-1] for line in capsys.readouterr().out.splitlines()] == ["b", "s", "e"]
