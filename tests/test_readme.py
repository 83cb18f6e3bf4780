"""What README.md and the pages of `raystudy docs` have one write and type, done."""

import re
import subprocess
from pathlib import Path

import pytest
from documents import DOCUMENTS, README, blocks, in_prose, typed, write_examples
from old_studies import copy_study

import raystudy as rs
from raystudy.cli import main, parser
from raystudy.cli.commands.table import GROUPS
from raystudy.config import compose, scopes
from raystudy.evaluation import locate, register
from raystudy.reproduce import arms
from raystudy.search.search_space import SearchSpace
from raystudy.storage.folders import open_study_folder

# What starts Ray, trains, downloads, serves or asks another machine is only looked at closely.
SEARCHES = ("sweep", "train", "plan", "doctor")
CONTINUES = ("resume", "extend", "confirm", "look", "replay", "register", "sync", "ui")
OTHERS = {"python3", ".", "pip", "uv", "pytest", "ray", "sbatch", "scontrol", "head"}
OTHERS |= {"if", "then", "fi", "else", "exit", "export", "trap", "wait", "}"}
OTHERS |= {"nodes", "again"}  # functions of a script
BARS = ["cross_entropy", "data=bars", "encoder=small_conv", "batch_size=32", "max_epochs=5"]
SHELL = {"HOME": "/home/me", "SLURM_CPUS_PER_TASK": "16"}


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return write_examples(tmp_path_factory.mktemp("here") / "mine")


@pytest.fixture
def home(tmp_path, monkeypatch, mine):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "results"))
    monkeypatch.chdir(mine.parent)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh/id_ed25519").touch()
    return tmp_path / "results"


def fill(home):
    """Put the studies there that are spoken of."""
    for name in ("swaro-1", "rocl-1", "cifar"):
        copy_study(home, "old-sweep", name)
    copy_study(home, "old-race", "swaro-1-confirm")


def accuracies(printed):
    return [float(value) for value in re.findall(r"epoch +\d+/\d+ .*clean ([\d.]+)", printed)]


@pytest.mark.parametrize(
    ("words", "epochs", "least"),
    [
        (["align", "tracker=lines"], 5, 0.9),
        (["tether", "max_epochs=1", "tracker=none"], 1, 0.9),
        (["tether", "data=bars", "tracker=none"], 3, 0.5),
        ([*BARS, "tracker=none"], 5, 0.9),
    ],
)
def test_what_is_ones_own_trains(home, monkeypatch, capsys, mine, words, epochs, least):
    monkeypatch.chdir(home.parent)
    code = main.main(["train", *words, f"--search-path={mine}"])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert len(accuracies(said.out)) == epochs
    assert accuracies(said.out)[-1] > least
    if "tracker=lines" in words:
        lines = Path("lines.txt").read_text().splitlines()
        assert [line.split()[:2] for line in lines] == [["0", str(n + 1)] for n in range(epochs)]


def look_at(home, command, options):
    """Check a command without doing it: its settings compose, what it names is there."""
    overrides, folders = options.get("overrides", []), options.get("search_path", [])
    if command.name in SEARCHES:
        name = options.get("name", options.get("study"))
        SearchSpace.load(name, overrides, folders) if name else compose.load_shared(overrides)
    elif command.name == "evaluate":
        words = [*(one for one in options["runs"] if not locate.is_network(one)), *overrides]
        words = [f"+{w}" if w.startswith(("suite=", "protocol=")) else w for w in words]
        compose.load(locate.FOREIGN, words, folders)
    elif command.name == "reproduce":
        table = register.read(options["table"])
        job = arms.job_of(table, arms.tier_of(table, options["tier"]))
        arm = next(iter(job.arms.values()))
        compose.load(arm.study, [*arm.overrides, *overrides])
    elif command.name in CONTINUES:
        name = options.get("study_id") or options.get("run") or options.get("optuna")
        if name:
            open_study_folder(home, name.partition("/")[0])
        assert not scopes.without(overrides, (*scopes.CHANGEABLE, scopes.Scope.NAME))
    else:
        assert command.name == "pack"


def is_looked_at(command, options):
    if command.name == "reproduce":
        return options["table"] is not None
    return command.name in (*SEARCHES, *CONTINUES, "evaluate", "pack")


def expanded(word):
    for name, value in SHELL.items():
        word = word.replace(f"${name}", value)
    return word


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_works(home, capsys, document):
    scripts = blocks(DOCUMENTS[document], "bash")
    assert scripts
    for script in scripts:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)
        fill(home)
        for words in typed(script):
            if "raystudy" not in words:
                assert words[0] in OTHERS or "=" in words[0], words
                continue
            words = [expanded(word) for word in words[words.index("raystudy") + 1 :]]
            cluster, words = parser.split_cluster(words)
            command, options = parser.parse(words)
            if cluster:
                assert command.from_laptop, words
            elif is_looked_at(command, options):
                look_at(home, command, options)
            else:
                code = main.main(words)
                assert code == 0, (words, capsys.readouterr().err)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_in_prose_is_one(document):
    verbs = {command.name for group in GROUPS.values() for command in group}
    for _, verb, *words in in_prose(DOCUMENTS[document]):
        assert verb in {*verbs, "COMMAND", "--cluster"}
        if words and verb != "COMMAND":
            parser.parse(parser.split_cluster([verb, *words])[1])


def test_the_interface_has_what_is_shown_of_it():
    (script,) = (one for one in blocks(README, "python") if "import raystudy" in one)
    assert set(re.findall(r"\brs\.(\w+)", script)) <= set(rs.__all__)
    assert all(hasattr(rs.Study, name) for name in re.findall(r"(?<![\"\w])study\.(\w+)", script))
