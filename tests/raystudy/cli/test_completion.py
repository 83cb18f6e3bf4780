"""Completion in a shell, asked as argcomplete's scripts ask."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from raystudy.cli import completion, parser
from raystudy.cli.commands.conclude import PICTURES
from raystudy.cli.commands.table import GROUPS
from raystudy.config import catalogue
from raystudy.evaluation import pictures
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest

HEAVY = ("torch", "ray", "mlflow", "optuna", "hydra", "sklearn", "numpy")


def complete(*words):
    """Return the completions of the last word, which begins as given."""
    finder = completion.Finder(parser.make_parser(), always_complete_options=False)
    finder._init_debug_stream = lambda: None
    *before, prefix = words
    found = finder._get_completions(["raystudy", *before], prefix, "", None)
    return sorted(word.rstrip(" ") for word in found)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    folder = create_study_folder(tmp_path, "swaro")
    folder.write_manifest(Manifest(kind="sweep", name="swaro"))
    for number in (0, 12):
        folder.trial(number).path.mkdir(parents=True)
    return tmp_path


def test_verbs():
    assert complete("sw") == ["sweep"]
    assert set(complete("")) == {one.name for group in GROUPS.values() for one in group}


def test_names_of_studies(tmp_path):
    (tmp_path / "swan.yaml").write_text("")
    for verb in ("sweep", "plan", "train", "show", "doctor"):
        assert complete(verb, "swar") == ["swaro"]
        assert complete(verb, "--search-path", str(tmp_path), "swa") == ["swan", "swaro", "swav"]


@pytest.mark.usefixtures("home")
def test_ids_of_studies():
    verbs = ("resume", "extend", "pause", "stop", "status", "best", "logs", "compare", "diff")
    verbs += ("export", "evaluate", "look", "confirm", "report", "replay", "sync", "rm")
    for verb in verbs:
        assert complete(verb, "sw") == ["swaro-1"]
    assert complete("compare", "swaro-1", "sw") == ["swaro-1"]


@pytest.mark.usefixtures("home")
def test_trials():
    assert complete("logs", "swaro-1", "") == ["0", "12"]
    assert complete("logs", "-f", "swaro-1", "1") == ["12"]
    for verb in ("replay", "look", "evaluate", "export", "diff"):
        assert complete(verb, "swaro-1/1") == ["swaro-1/12"]
    assert complete("diff", "swaro-1/0", "swaro-1/") == ["swaro-1/0", "swaro-1/12"]


@pytest.mark.usefixtures("home")
def test_studies_here_are_not_offered_as_those_of_a_cluster(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rack.yaml").write_text("")
    assert complete("--cluster", "rack.yaml", "statu") == ["status"]
    assert complete("--cluster", "rack.yaml", "status", "--fol") == ["--follow"]
    for given in (["--cluster", "rack.yaml"], ["--cluster=rack.yaml"]):
        for verb in ("status", "best", "stop", "evaluate", "diff"):
            assert complete(*given, verb, "sw") == []
            assert complete(verb, *given, "sw") == []
        assert complete("logs", "swaro-1", *given, "1") == []
    assert complete("--cluster", "rac") == ["rack.yaml"]
    assert complete("status", "--cluster", "rac") == ["rack.yaml"]


def test_settings():
    assert complete("train", "swaro", "optimizer.l") == ["optimizer.lr="]
    assert complete("doctor", "scaling.use") == ["scaling.use_gpu="]
    assert "study.num_trials=" in complete("resume", "swaro-1", "")
    assert complete("resume", "swaro-1", "optimizer.l") == []
    assert complete("sync", "swaro-1", "") == ["output_dir=", "tracker.uri="]


@pytest.mark.parametrize(
    "options", [["--dry-run"], ["--search-path", "."], ["seed=1", "--dry-run"]]
)
def test_settings_after_options(options):
    assert complete("sweep", "swaro", *options, "optimizer.l") == ["optimizer.lr="]


def test_a_value_of_an_option_is_no_setting():
    assert complete("sweep", "swaro", "--search-path", "optimizer.l") == []


@pytest.mark.parametrize("group", ["attack", "tracker", "sampler"])
def test_options_of_a_group(group):
    expected = [f"{group}={option}" for option in catalogue.options(group)]
    assert complete("sweep", "swaro", f"{group}=") == expected


def test_suites():
    expected = [f"suite={name}" for name in catalogue.options("suite")]
    assert complete("evaluate", "suite=") == expected
    assert complete("evaluate", "swaro-1", "--json", "suite=") == expected


def test_downstream_tasks_and_no_other_protocols():
    expected = [f"protocol=coco_{name}" for name in ("keypoints", "maskrcnn", "maskrcnn_2x")]
    assert complete("evaluate", "swaro-1", "protocol=c") == expected
    assert complete("evaluate", "swaro-1", "protocol=le") == []


def test_scaling_of_a_pack():
    expected = ["scaling=cluster", "scaling=cluster_ddp", "scaling=local"]
    assert complete("pack", "in", "out", "scaling=") == expected


def test_options_and_their_values():
    assert complete("status", "--f") == ["--follow"]
    assert complete("export", "swaro-1", "--format", "l") == ["latex"]
    assert complete("report", "x", "--importance", "") == ["fanova", "ped_anova"]
    assert complete("compare", "x", "--budget", "p") == ["passes="]
    assert complete("look", "x", "--picture", "") == sorted(PICTURES)
    assert complete("completion", "") == ["bash", "fish", "zsh"]


def test_all_pictures_are_offered():
    assert tuple(pictures.PICTURES) == PICTURES


@pytest.mark.usefixtures("home")
def test_unknown_names_have_no_completions():
    assert complete("sweep", "no_such_study", "optimizer.l") == []
    assert complete("logs", "swaro-7", "1") == []
    assert complete("swepp", "swaro", "x") == []


def ask(line, tmp_path, code="from raystudy.cli.__main__ import main; main()"):
    """Return what a process answers to a shell, and the heavy modules that it imported."""
    report = f"import atexit, sys\nheavy = {HEAVY}\nexit_ = __import__('os')._exit\n"
    report += "def leave(code):\n    print([n for n in heavy if n in sys.modules], flush=True)\n"
    report += "    exit_(code)\n__import__('os')._exit = leave\n"
    answer = tmp_path / "answer"
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1"}
    asked |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(answer), "_ARGCOMPLETE_IFS": "\n"}
    done = subprocess.run(
        [sys.executable, "-c", report + code],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.read_text().split("\n"), done.stdout.strip()


@pytest.mark.parametrize("line", ["raystudy swe", "raystudy sweep --dry"])
def test_verbs_and_options_are_completed_without_heavy_imports(tmp_path, line):
    (word,), imported = ask(line, tmp_path)
    assert word.strip().startswith(line.split()[-1])
    assert imported == "[]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script(capsys, shell):
    assert completion.completion(shell) == 0
    assert "raystudy" in capsys.readouterr().out


STARTED = {
    "bash": (["bash", "--norc", "--noprofile"], 'eval "$(raystudy completion bash)"'),
    "zsh": (
        ["zsh", "-f", "-o", "no_prompt_cr"],
        'autoload -Uz compinit && compinit -D && eval "$(raystudy completion zsh)"',
    ),
    "fish": (["fish", "--no-config"], "raystudy completion fish | source"),
}
PRESSED = [
    ("raystudy swe", "sweep"),
    ("raystudy status sw", "swaro-1"),
    ("raystudy sweep swaro optimizer.l", "optimizer.lr="),
    ("raystudy sweep swaro tracker=mlf", "tracker=mlflow"),
    ("raystudy docs tut", "tutorial"),
    ("raystudy evaluate swaro-1/1", "swaro-1/12"),
]


@pytest.fixture
def installed(monkeypatch):
    """Put the command on the path, as where raystudy is installed."""
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("TERM", "dumb")


def needs(shell):
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"needs the shell {shell}")


@pytest.mark.usefixtures("home", "installed")
@pytest.mark.parametrize("shell", [pytest.param(one, marks=needs(one)) for one in ("bash", "zsh")])
def test_the_tab_key_completes_in_a_shell(shell):
    command, setup = STARTED[shell]
    typing = pexpect.spawn(command[0], command[1:], timeout=30, dimensions=(24, 200))
    typing.sendline(f"PS1='> '; {setup}; echo re''ady")
    typing.expect("ready")
    for line, word in PRESSED:
        begun = line.split()[-1]
        typing.send(f"{line}\t")
        typing.expect_exact(begun + word.removeprefix(begun))
        typing.sendcontrol("u")
    typing.close(force=True)


@needs("fish")
@pytest.mark.usefixtures("home", "installed")
def test_fish_completes():
    command, setup = STARTED["fish"]
    asked = "; ".join(f"complete --do-complete {shlex.quote(line)}" for line, _ in PRESSED)
    done = subprocess.run(
        [*command, "-c", f"{setup}; {asked}"], capture_output=True, text=True, check=True
    )
    assert [line.split("\t")[0].strip() for line in done.stdout.splitlines()] == [
        word for _, word in PRESSED
    ]
