"""The command line as a user meets it."""

import argparse
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from raystudy import terminal
from raystudy.cli import main, parser
from raystudy.cli.commands.table import GROUPS
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest

COMMANDS = {command.name: command for group in GROUPS.values() for command in group}
HEAVY = ("torch", "ray", "mlflow", "optuna", "hydra", "sklearn", "matplotlib", "numpy")


def run(capsys, *arguments):
    code = main.main(arguments)
    out = capsys.readouterr()
    return code, out.out, out.err


@pytest.mark.parametrize("words", [["--help"], ["sweep", "--help"]])
def test_help_imports_nothing_heavy(words):
    code = (
        "import sys; from raystudy.cli import main\n"
        f"try: main.main({words})\n"
        "except SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert "raystudy sweep swaro" in done.stdout


def test_a_study_is_looked_at_and_uploaded_without_torch():
    fixtures = Path(__file__).parents[2] / "fixtures" / "format_1"
    code = (
        "import sys; from raystudy.cli import main, export, logs\n"
        "from raystudy.trackers.mlflow import upload_process\n"
        "codes = [main.main([*words, 'old-sweep']) for words in (['status'], ['best'])]\n"
        "print(codes, 'torch' in sys.modules)"
    )
    environment = {**os.environ, "RAYSTUDY_HOME": str(fixtures)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.splitlines()[-1] == "[0, 0] False"


def test_help_lists_all_verbs_by_groups(capsys):
    with pytest.raises(SystemExit):
        main.main(["--help"])
    out = capsys.readouterr().out
    for title, group in GROUPS.items():
        listed = "".join(f"  {one.name:<11} {one.summary}\n" for one in group)
        assert f"\n{title}:\n{listed}\n" in out
    assert "exit codes: 0 done" in out


def test_every_verb_has_help(capsys):
    for verb, command in COMMANDS.items():
        with pytest.raises(SystemExit) as left:
            main.main([verb, "--help"])
        assert left.value.code == 0
        out = capsys.readouterr().out
        assert f"usage: raystudy {verb} " in out
        assert command.summary in out
        assert "examples:\n  " in out
        description = out.partition("\n\n")[2].partition("positional arguments:")[0]
        description = description.partition("options:")[0]
        assert not any(line.startswith(" ") for line in description.splitlines())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "swaro", "optimizer.learning_rate=0.1"], "did you mean 'optimizer.lr'?"),
        (["train", "swarro"], "did you mean 'swaro'?"),
        (["train", "swaro", "max_epochs=0"], "max_epochs must be at least 1, got 0"),
        (["train", "swaro", "attack.steps=-1"], "attack.steps must be at least 0, got -1"),
        (["train", "swaro", "batch_size=5000"], "batch_size must be between 2 and"),
        (["train", "swaro", "clusters.probability=2"], "clusters.probability must be in [0, 1]"),
        (["train", "swaro", "device=tpu"], "device must be one of auto, cpu, cuda"),
        (["train", "swaro", "clusters.num_clusters=2000"], "number of training images, 1079"),
        (["train", "swaro", "optimizer.lr=fast"], "optimizer.lr must be a number, got 'fast'"),
        (["train", "swaro", "tracker.uri=foo://x"], "tracker.uri must start with one of http"),
        (["train", "swaro", "=3"], "cannot read the override '=3'"),
        (["sweep", "swaro", "study.id=../x"], "study.id names a folder"),
        (["sweep", "swaro", "study.objectives=[val/loss]"], "no evaluator measures 'val/loss'"),
        (["sweep", "swaro", "attack.steps=1,2"], "attack.steps=choice(1,2)"),
        (["sweep", "swaro", "study.num_trials=0"], "num_trials must be at least 1, got 0"),
        (["sweep", "swaro", "study.objectives=[test/accuracy]"], "never sees the test split"),
        (["sweep", "swaro", "optimizer.lr=interval(2,1)"], "optimizer.lr"),
        (["resume", "nothing-1"], "no study 'nothing-1'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert words in err
    assert err.startswith("raystudy: ")
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    assert not list(tmp_path.glob("studies/*/trials/*/last.ckpt"))


def test_options_and_settings_stand_in_any_order(capsys):
    words = ["--dry-run", "study.num_trials=3", "optimizer.lr=1", "max_epochs=1"]
    plans = [run(capsys, "sweep", "simclr", *order) for order in (words, words[::-1])]
    one, other = (out.partition("timing")[0] for code, out, _ in plans if code == 0)
    assert one == other
    assert "trials      3;" in one


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["swep", "swaro"], "unknown word 'swep'; did you mean 'sweep'?"),
        (["xyz"], "unknown word 'xyz'; choose from sweep, plan, train"),
        (["sweep"], "the following arguments are required: STUDY\n(see 'raystudy sweep --help')"),
        (["logs", "swaro-1", "x"], "argument TRIAL: invalid int value: 'x'"),
        (["export", "swaro-1", "--format", "cvs"], "unknown word 'cvs'; did you mean 'csv'?"),
        ([], "get started:"),
    ],
)
def test_a_wrong_word_is_reported_in_one_sentence(capsys, arguments, words):
    with pytest.raises(SystemExit) as left:
        main.main(arguments)
    assert left.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("verb", [["list"], ["show", "swaro"], ["train", "swaro"]])
def test_a_search_path_that_is_no_folder_is_refused(capsys, tmp_path, verb):
    code, _, err = run(capsys, *verb, "--search-path", str(tmp_path / "mine"))
    assert code == 2
    assert f"--search-path: {tmp_path}/mine is not a folder" in err


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_examples_parse(command):
    for line in command.examples.splitlines():
        _, verb, *arguments = shlex.split(re.sub(r'^eval "\$\((.*)\)"', r"\1", line), comments=True)
        arguments = arguments[: arguments.index("|")] if "|" in arguments else arguments
        assert verb == command.name
        assert parser.parse([verb, *arguments])[0] is command


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_verbs_function_takes_what_its_row_names(command):
    function = getattr(importlib.import_module(command.module), command.function)
    verb_parser = argparse.ArgumentParser(add_help=False)
    for argument in command.arguments:
        argument.add_to(verb_parser)
    taken = inspect.signature(function).parameters
    required = {name for name, one in taken.items() if one.default is inspect.Parameter.empty}
    given = {action.dest for action in verb_parser._actions}
    assert required <= given <= set(taken)


def test_every_name_is_one_verbs():
    assert len(COMMANDS) == sum(map(len, GROUPS.values()))


def test_a_folder_that_is_not_writable_is_reported_without_a_traceback(capsys, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", "/dev/null/x")
    code, _, err = run(capsys, "ui", "--port", "49151")
    assert code == 1
    assert err == "raystudy: /dev/null/x: Not a directory\n"


def test_an_unknown_option_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        main.main(["sweep", "swaro", "--dry", "seed=1", "--nothing"])
    assert left.value.code == 2
    assert "unrecognized arguments: --nothing" in capsys.readouterr().err


def test_show_prints_values_and_sources(capsys):
    code, out, _ = run(capsys, "show", "swaro", "data=cifar10")
    assert code == 0
    flat = " ".join(out.split())
    assert "clusters.probability" in flat
    assert "SwARo Sec. 4" in flat


def test_list_names_studies_and_options(capsys):
    code, out, _ = run(capsys, "list")
    assert code == 0
    for name in ("swaro", "rocl", "simclr", "digits", "cifar10", "pgd_linf", "asha", "tpe"):
        assert f"  {name} " in out


def test_show_writes_values_as_one_types_them(capsys):
    lines = run(capsys, "show", "swaro")[1].splitlines()
    settings = dict(line.split()[:2] for line in lines if line.startswith("  ") and "=" not in line)
    assert settings["data.mirror"] == "false"
    assert settings["trainer.clip_grad_norm"] == "null"


@pytest.mark.parametrize("words", [["studies"], ["show", "swaro"], ["list"]])
def test_names_are_whole_on_a_narrow_terminal(capsys, monkeypatch, tmp_path, words):
    create_study_folder(tmp_path, "a_rather_long_name").write_manifest(
        Manifest(kind="train", name="swaro")
    )
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    monkeypatch.setattr(terminal, "WIDE", 60)
    _, out, _ = run(capsys, *words)
    assert max(map(len, out.splitlines())) <= 60
    known = {"studies": "a_rather_long_name-1", "show": "clusters.probability=", "list": "pgd_linf"}
    assert known[words[0]] in out
