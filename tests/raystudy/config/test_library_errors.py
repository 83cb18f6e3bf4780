"""What Hydra, OmegaConf, a YAML or a user's module finds wrong reaches the user in one sentence."""

import pytest

from raystudy.cli import main

STUDY = "defaults: [simclr, _self_]\nmax_epochs: 1\nstudy: {name: own}\n"
FILES = {
    "syntax": ("a: [1\n", "own.yaml, line 2: expected"),
    "twice": ("max_epochs: 1\nmax_epochs: 2\n", "own.yaml, line 2: found duplicate key max_epochs"),
    "tab": ("\tx: 1\n", "own.yaml, line 1: found character"),
    "tag": ("a: !!python/object:os.system x\n", "own.yaml, line 1: could not determine"),
    "latin": (b"name: b\xfcro\n", "own.yaml is not UTF-8"),
    "mapping": ("defaults: {a: b}\n", "defaults must be a list"),
    "number": ("defaults: [3]\n", "Unsupported type in defaults"),
    "nothing": ("defaults: [nothing_there]\n", "Could not load 'nothing_there'"),
    "no group": (
        "defaults: [simclr, {override nogroup: x}, _self_]\n",
        "own.yaml: its defaults list has 'override nogroup', a group that is not there",
    ),
    "itself": ("defaults: [simclr, own, _self_]\n", "refers to itself"),
    "list": ("- a\n- b\n", "must be a DictConfig"),
    "text": ("just text\n", "its defaults list must start with 'base'"),
    "empty": ("", "its defaults list must start with 'base'"),
    "open": (STUDY + "seed: ${a\n", "seed: a reference '${...}' is not closed"),
    "circle": (STUDY + "a: ${b}\nb: ${a}\n", "a refers to itself"),
    "resolver": (STUDY + "seed: ${nope:3}\n", "seed: '${nope:...}' is none of"),
    "variable": (STUDY + "seed: ${oc.env:NO_SUCH}\n", "seed: the environment variable NO_SUCH is"),
    "where": (STUDY + "seed: ${no.such}\n", "seed refers to 'no.such', which is no setting"),
    "type": (STUDY + "seed: ${times:a,b}\n", "seed: could not convert string to float: 'a'"),
    "inner": (STUDY + "a: {b: [1, '${no.such}']}\n", "a.b[1] refers to 'no.such'"),
    "missing": (
        "defaults: [base, _self_]\nstudy: {name: own}\nmethod: {}\n",
        "max_epochs has no value",
    ),
}
MODULES = {
    "absent": (None, "method._target_: 'own_part.Mine' cannot be used: ModuleNotFoundError"),
    "syntax": ("def (\n", "own_part.py, line 1"),
    "import": ("import no_such_module\n", "No module named 'no_such_module'"),
    "name": ("x = undefined\n", "NameError: name 'undefined' is not defined"),
    "no class": ("x = 1\n", "own_part has no 'Mine'"),
    "constructor": (
        "class Mine:\n    def __init__(self, **settings):\n        {}['gone']\n",
        "method: KeyError: 'gone'",
    ),
}


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command on the studies of a folder; return its exit code and what it said."""
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "home"))
    monkeypatch.syspath_prepend(str(tmp_path))  # and taken away again
    monkeypatch.delenv("PICS", raising=False)

    def run(*words):
        code = main.main([*words, "--search-path", str(tmp_path)])
        out = capsys.readouterr()
        assert "Traceback" not in out.out + out.err
        return code, out.err

    return run


def refused(told):
    code, words = told
    assert code == 2
    assert words.startswith("raystudy: ")
    assert words.count("\n") == 1
    return words


@pytest.mark.parametrize("name", FILES)
def test_a_yaml_gone_wrong_is_one_sentence(tmp_path, run, name):
    content, sentence = FILES[name]
    path = tmp_path / "own.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert sentence in refused(run("train", "own"))
    assert not (tmp_path / "home" / "studies").exists()


@pytest.mark.parametrize("name", MODULES)
def test_a_module_gone_wrong_is_one_sentence(tmp_path, run, name):
    content, sentence = MODULES[name]
    module = f"own_part_{name.replace(' ', '_')}"
    if content is not None:
        (tmp_path / f"{module}.py").write_text(content)
    own = f"method: {{_target_: {module}.Mine}}\n"
    (tmp_path / "own.yaml").write_text(STUDY + own)
    assert sentence.replace("own_part", module) in refused(run("train", "own"))
    assert not (tmp_path / "home" / "studies").exists()


@pytest.mark.parametrize("verb", ["train", "plan", "show", "sweep"])
@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("data.root=${oc.env:PICS}", "data.root: the environment variable PICS is not set"),
        ("data.root=${nonexistent}", "data.root refers to 'nonexistent', which is no setting"),
        ("seed=${seed}", "seed refers to itself"),
        ("seed=${a", "seed"),
    ],
)
def test_a_reference_that_leads_nowhere_is_one_sentence(tmp_path, run, verb, override, sentence):
    assert sentence in refused(run(verb, "simclr", "data=image_folder", override))
    assert not (tmp_path / "home" / "studies").exists()


@pytest.mark.parametrize("verb", ["studies", "status x", "sync x", "ui"])
def test_commands_about_results_say_which_variable_is_missing(capsys, verb):
    assert main.main([*verb.split(), "output_dir=${oc.env:NO_SUCH}"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("raystudy: output_dir: the environment variable NO_SUCH is not set")


def test_results_are_found_without_a_home(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    assert main.main(["studies"]) == 0
    monkeypatch.delenv("RAYSTUDY_HOME")
    assert main.main(["studies", f"output_dir={tmp_path}"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "no studies here yet" in said
    assert "raystudy --cluster cluster.yaml studies" in said
