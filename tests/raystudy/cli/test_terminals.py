"""What is printed, on a screen of 80 columns, without colours, and in a pipe."""

import re
import sys

import pexpect
import pytest
from old_studies import copy_study

from raystudy import terminal
from raystudy.cli import main
from raystudy.cli.commands.table import GROUPS

VERBS = [command.name for group in GROUPS.values() for command in group]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][;m]")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    for old, name in (("old-sweep", "swaro-1"), ("old-sweep", "rocl-1"), ("old-race", "race")):
        copy_study(tmp_path, old, name)
    copy_study(tmp_path, "old-interrupted", "a_rather_long_name_of_a_study-1")


@pytest.mark.parametrize("verb", [[], *([verb] for verb in VERBS)], ids=" ".join)
def test_help_is_no_wider_than_80_columns(capsys, monkeypatch, verb):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main.main([*verb, "--help"])
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("width", [80, 50])
@pytest.mark.parametrize(
    "words",
    [
        ["studies"],
        ["compare", "swaro-1", "rocl-1"],
        ["diff", "swaro-1/0", "swaro-1/3"],
        ["reproduce"],
        ["docs"],
    ],
    ids=" ".join,
)
def test_tables_are_no_wider_than_the_screen_and_whole(capsys, monkeypatch, words, width):
    monkeypatch.setattr(terminal, "WIDE", width)
    assert main.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    sentences = (
        "winners of",
        "times are",
        "one seed each",
        "kept as",
    )  # which a pipe gets unbroken
    tables = [line for line in lines if not line.startswith(sentences)]
    assert max(map(len, tables)) <= width
    assert not any("…" in line for line in lines)


def test_a_table_that_would_break_a_word_becomes_paragraphs(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "WIDE", 60)
    assert main.main(["compare", "swaro-1", "rocl-1"]) == 0
    out = capsys.readouterr().out
    assert "  recipe         best           trial\n" in out  # the studies fit
    assert "winners\nswaro-1 (trial 1) - rocl-1 (trial 1)\n  seeds         2\n" in out
    assert "  measure       robust_accuracy\n" in out


def test_a_setting_and_its_source_are_whole_on_a_narrow_screen(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "WIDE", 60)
    assert main.main(["show", "swaro"]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("  data.mirror=false")
    assert lines[place + 1] == "    a mirrored digit is another sign (data/digits.yaml:8)"
    assert "  data.name=digits  data/digits.yaml:2" in lines
    sources = [line for line in lines if ".yaml" in line]
    assert all(re.search(r"\.yaml:\d+\)?$", line) for line in sources)


def test_a_screen_too_narrow_for_settings_gets_the_whole_measures(capsys, monkeypatch):
    monkeypatch.setattr(terminal, "WIDE", 50)
    assert main.main(["status", "swaro-1"]) == 0
    head, row = capsys.readouterr().out.splitlines()[:2]
    assert head.split() == ["trial", "state", "epoch", "robust", "clean", "time"]
    assert row.split() == ["0", "complete", "4/4", "0.2033", "0.4039", "60", "s"]


def test_a_pipe_gets_all_costs_of_a_table_on_one_line(capsys):
    assert main.main(["reproduce"]) == 0
    (line,) = (one for one in capsys.readouterr().out.splitlines() if "swaro/table8" in one)
    assert line.count(" on 2 cores, ") == 2
    assert line.count(" on one H100, ") == 1
    assert line == line.rstrip()


def on_a_screen(*words, **environment):
    """Return what a terminal of 80 columns is sent."""
    command = [sys.executable, "-m", "raystudy.cli", *words]
    said, code = pexpect.run(
        " ".join(command),
        env={"PATH": "", "TERM": "xterm-256color", **environment},
        dimensions=(24, 80),
        withexitstatus=True,
        encoding="utf-8",
    )
    assert code == 0, said
    return said


def test_a_screen_gets_whole_columns_and_sentences_and_no_color_is_heeded(tmp_path):
    home = {"RAYSTUDY_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    assert COLOUR.search(on_a_screen("status", "swaro-1", **home))
    plain = on_a_screen("status", "swaro-1", NO_COLOR="1", **home)
    assert not COLOUR.search(plain)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", plain).split("\r\n")
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["trial", "state", "epoch", "robust", "clean", "time", "settings"]
    assert lines[1].startswith("    0  complete    4/4  0.2033  0.4039  60 s  relative_step=0.25")
    conclusion = on_a_screen("best", "race", NO_COLOR="1", **home).split("\r\n")
    assert max(map(len, conclusion)) <= 80
    assert " ".join(conclusion).startswith("race: no finalist differs by more than noise from the ")
    assert "published recipe: trial 1" in " ".join(conclusion)
