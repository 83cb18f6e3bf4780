"""`raystudy ui` takes a port that is free, and says so where none is."""

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from raystudy.cli import main
from raystudy.cli.ui import require_free
from raystudy.errors import UserError


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_is_taken_is_told_with_another(capsys, taken, monkeypatch, tmp_path):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    assert main.main(["ui", "--port", str(taken)]) == 2
    told = capsys.readouterr().err
    assert f"--port {taken} on 127.0.0.1 is taken" in told
    assert f"--port {taken + 1}" in told


def test_where_pages_are_is_said_without_a_server_and_where_one_runs(
    capsys, taken, monkeypatch, tmp_path
):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "r"))
    assert main.main(["ui", "--port", str(taken), "--address"]) == 0
    told = capsys.readouterr().out
    assert f"open http://127.0.0.1:{taken}/#/experiments" in told
    started = []
    monkeypatch.setattr("raystudy.cli.ui.require_free", lambda *_: None)
    monkeypatch.setattr("os.execv", lambda _, arguments: started.append(arguments))
    main.main(["ui", "--port", str(taken)])
    (arguments,) = started
    assert capsys.readouterr().out == f"{told}Ctrl-C ends it\n"
    (tmp_path / "mlflow.py").write_text("input()")
    instead = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(arguments, env=instead, stdin=subprocess.PIPE) as server:
        assert main.main(["ui", "--port", str(taken)]) == 0
        server.communicate(b"end")
    assert capsys.readouterr().out == f"{told}it runs already\n"


@pytest.mark.parametrize(
    ("host", "port", "words"),
    [
        ("127.0.0.1", 99999, "between 1 and 65535, got 99999"),
        ("127.0.0.1", 0, "between 1 and 65535, got 0"),
        ("192.0.2.1", 5000, "--host 192.0.2.1 is not an address of this machine"),
        ("nobody.invalid", 5000, "--host nobody.invalid is not an address of this machine"),
    ],
)
def test_what_cannot_be_listened_on_is_told(host, port, words):
    with pytest.raises(UserError) as error:
        require_free(host, port)
    assert words in str(error.value)


def test_a_server_elsewhere_is_named(capsys):
    assert main.main(["ui", "tracker.uri=http://me:secret@127.0.0.1:9"]) == 0
    told = capsys.readouterr().out
    assert "open http://" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nobody-1"], "no study 'nobody-1'"),
        (["old-sweep", "tracker=none"], "keeps nothing of old-sweep to look at"),
        (["old-sweep", "tracker=tensorboard"], "no page for old-sweep alone"),
        (["old-sweep", "other"], "ui takes one study, got old-sweep other"),
        (["old-sweep", "--optuna", "old-sweep"], "give old-sweep or --optuna old-sweep, not both"),
        (["old-sweep"], "old-sweep ran without MLflow"),
    ],
)
@pytest.mark.usefixtures("old_sweep")
def test_a_study_that_cannot_be_shown_is_told(words, told, capsys):
    assert main.main(["ui", *words]) == 2
    assert told in capsys.readouterr().err


CREATED = 4  # what Optuna's journal calls a trial's creation
FIXTURES = Path(__file__).parents[2] / "fixtures" / "format_1"


def interrupted(_):
    raise KeyboardInterrupt


@pytest.fixture
def old_sweep(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    shutil.copytree(FIXTURES / "studies/old-sweep", tmp_path / "studies/old-sweep")
    return tmp_path / "studies/old-sweep/journal.log"


def test_optunas_dashboard_shows_a_study_as_it_grows_and_cannot_write(
    old_sweep, monkeypatch, capsys
):
    served = []
    monkeypatch.setattr("optuna_dashboard.wsgi", served.append)
    monkeypatch.setattr("wsgiref.simple_server.WSGIServer.serve_forever", interrupted)
    assert main.main(["ui", "--optuna", "old-sweep", "--port", "5999"]) == 0
    assert "http://127.0.0.1:5999/dashboard/studies/0" in capsys.readouterr().out
    (storage,) = served
    assert len(storage.get_all_trials(0)) == 4
    with old_sweep.open("a") as file:
        file.writelines(line for line in old_sweep.open() if json.loads(line)["op_code"] == CREATED)
    assert len(storage.get_all_trials(0)) == 8
    before = old_sweep.read_bytes()
    with pytest.raises(UserError, match="only read"):
        storage.set_study_user_attr(0, "note", "mine")
    assert old_sweep.read_bytes() == before


@pytest.mark.usefixtures("old_sweep")
@pytest.mark.parametrize(
    ("study", "found", "words"),
    [
        ("old-swep", True, "no study 'old-swep'"),
        ("old-sweep", None, "pip install 'raystudy[dashboard]'"),
    ],
)
def test_what_optunas_dashboard_cannot_show_is_one_sentence(
    capsys, monkeypatch, study, found, words
):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: found)
    assert main.main(["ui", "--optuna", study]) == 2
    assert words in capsys.readouterr().err
