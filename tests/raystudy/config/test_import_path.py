"""What stands in the user's working folder is no module of ours."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from shadows import shadow_modules

from raystudy.cli.doctor.check import python

ROOT = Path(__file__).parents[3]
COMMAND = str(Path(sys.executable).with_name("raystudy"))
CLEANED = """
import json, os, sys
from raystudy.config import import_path
import_path.forget_working_folder()
print(json.dumps([sys.path, os.environ.get("PYTHONPATH")]))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shadow_modules(tmp_path)
    return tmp_path


def run(command, **environment):
    return subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **environment}, check=False
    )


def path_with(pythonpath, *options):
    done = run([sys.executable, *options, "-c", CLEANED], PYTHONPATH=pythonpath)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_empty_entry_of_pythonpath_is_nobodys_wish(folder):
    path, variable = path_with(f":{folder / 'x'}", "-P")
    assert str(folder) not in path
    assert str(folder / "x") in path
    assert variable == str(folder / "x")


def test_a_pythonpath_that_is_but_empty_is_none(folder):
    path, variable = path_with(":", "-P")
    assert str(folder) not in path
    assert variable is None


def test_what_the_user_named_stays(folder):
    path, variable = path_with(str(folder.parent), "-P")
    assert str(folder.parent) in path
    assert variable == str(folder.parent)


def test_the_working_folder_stays_where_it_was_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, variable = path_with(str(tmp_path), "-P")
    assert str(tmp_path) in path
    assert variable == str(tmp_path)


def test_the_command_takes_not_even_its_first_import_from_there(folder):
    for module in ("argparse", "difflib", "errno", "inspect", "logging", "pathlib", "textwrap"):
        (folder / f"{module}.py").write_text(f"raise SystemExit('{module} of the working folder')")
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["raystudy"].partition(":")
    code = f"import sys; from {module} import {function}; sys.exit({function}())"
    done = run([sys.executable, "-P", "-c", code, "--version"], PYTHONPATH=":nowhere")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("folder")
def test_a_process_that_doctor_starts_is_not_led_astray():
    assert python("import mlflow.version, random; print('well')") == ("well", "")


@pytest.mark.usefixtures("folder")
def test_a_trial_reaches_mlflow_from_a_folder_of_such_names(tmp_path):
    words = ["train", "cross_entropy", "max_epochs=1", "encoder=small_conv", "tracker.patience=300"]
    # An empty entry is the working folder: what is found with it is found without.
    done = run([COMMAND, *words], RAYSTUDY_HOME=str(tmp_path / "home"), PYTHONPATH=":nowhere")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "working folder" not in done.stdout + done.stderr
    assert "wait for MLflow" not in done.stdout
    assert list((tmp_path / "home" / "artifacts").rglob("config.yaml"))
