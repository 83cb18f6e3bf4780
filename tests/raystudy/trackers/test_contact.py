"""A store that takes nothing is told in a sentence and within seconds."""

import shutil
import socket
import sqlite3
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module

import pytest
from busy import PATIENCE_S
from mlflow_studies import tell
from surrogates import study_info

from raystudy.cli import main
from raystudy.storage.folders import create_study_folder
from raystudy.storage.manifest import Manifest
from raystudy.trackers.mlflow import MlflowTracker, contact
from raystudy.trackers.mlflow.contact import silence
from raystudy.trackers.mlflow.delivered import count_waiting
from raystudy.trackers.mlflow.delivery import alone

REFUSED = "http://me:hunter2@127.0.0.1:9"  # port 9, discard, is closed
ANSWERS = {
    401: "MLFLOW_TRACKING_USERNAME",
    403: "MLFLOW_TRACKING_USERNAME",
    404: "check the address",
    500: "its own log says why",
    200: "what answers there is no MLflow",
}


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """What answers late on a busy machine is no less of an answer."""
    monkeypatch.setattr(contact, "PATIENCE_S", 120.0)


@contextmanager
def answering(code):
    """Have a server that says the same to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(code)
            self.end_headers()
            self.wfile.write(b"<html>")

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def waiting(tmp_path, monkeypatch):
    """A study with events that wait."""
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    folder = create_study_folder(tmp_path, "study", tmp_path.name)
    folder.write_manifest(Manifest(kind="sweep", name="surrogate"))
    tell(MlflowTracker(None), study_info(folder.path))
    return folder


def sync(capfd, folder, uri, *words):
    """Return the exit code and what was said, all of it on one line."""
    code = main.main(["sync", folder.id, f"tracker.uri='{uri}'", *words])
    out = capfd.readouterr()
    (line,) = (out.out + out.err).splitlines()
    return code, line


@pytest.mark.parametrize("code", ANSWERS)
def test_a_server_that_answers_otherwise_is_told_and_what_to_do(capfd, waiting, code):
    with answering(code) as uri:
        exit_code, said = sync(capfd, waiting, uri)
    assert exit_code == 1
    assert said.startswith(f"MLflow at {uri} takes nothing now (")
    assert ANSWERS[code] in said
    if code != 200:
        assert f"HTTP {code}" in said
    assert said.endswith(f"7 events wait on disk; then rerun 'raystudy sync {waiting.id}'.")


def test_nobody_at_a_port_is_told_without_the_password(capfd, waiting):
    code, said = sync(capfd, waiting, REFUSED)
    assert code == 1
    assert "http://***@127.0.0.1:9 takes nothing now ([Errno 111] Connection refused)" in said
    assert "hunter2" not in said


@pytest.mark.parametrize("scheme", ["http", "https", "postgresql"])
def test_one_that_never_answers_is_left_within_seconds(scheme, monkeypatch):
    monkeypatch.setattr(contact, "PATIENCE_S", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as hole:
        said = silence(f"{scheme}://127.0.0.1:{hole.getsockname()[1]}/x")
    assert said == "no answer in 1 s" or said.startswith("No module named")


def test_a_name_that_nobody_has_is_told():
    assert silence("http://nobody.invalid:5000") != ""


def test_a_locked_database_is_told(capfd, store, waiting):
    shutil.copy(store.uri.removeprefix("sqlite:///"), waiting.home / "mlflow.db")
    other = sqlite3.connect(waiting.home / "mlflow.db")
    other.execute("begin exclusive")
    code, said = sync(capfd, waiting, f"sqlite:///{waiting.home}/mlflow.db")
    assert code == 1
    assert "(database is locked); another process writes to it" in said
    other.close()


def test_a_file_that_is_no_database_is_told(capfd, waiting):
    (waiting.home / "mlflow.db").write_text("no database at all, but longer than its header is")
    code, said = sync(capfd, waiting, f"sqlite:///{waiting.home}/mlflow.db")
    assert code == 1
    assert "file is not a database" in said
    assert "move that file away" in said


def test_a_database_of_another_mlflow_is_told(capfd, store, waiting):
    path = waiting.home / "mlflow.db"
    shutil.copy(store.uri.removeprefix("sqlite:///"), path)
    with sqlite3.connect(path) as database:
        database.execute("update alembic_version set version_num = '0123456789ab'")
    code, said = sync(capfd, waiting, f"sqlite:///{path}")
    assert code == 1
    assert "out-of-date database schema" in said
    assert "mlflow db upgrade" in said


def test_two_do_not_deliver_one_study_at_once(capfd, waiting, monkeypatch):
    syncing = import_module("raystudy.trackers.mlflow.sync")  # the package's name for its function
    monkeypatch.setattr(syncing, "PATIENCE_S", 0.2)
    with alone(waiting):
        assert main.main(["sync", waiting.id]) == 2
    assert f"delivers {waiting.id} to MLflow already" in capfd.readouterr().err


def test_it_goes_on_in_the_background_only_if_asked(capfd, store, waiting, monkeypatch):
    monkeypatch.setattr("raystudy.trackers.mlflow.contact.PATIENCE_S", 0.5)
    path = waiting.home / "mlflow.db"
    shutil.copy(store.uri.removeprefix("sqlite:///"), path)
    other = sqlite3.connect(path)
    other.execute("begin exclusive")
    uri = f"sqlite:///{path}"
    code, said = sync(capfd, waiting, uri, "--background")
    assert code == 0
    assert "keeps trying to upload them" in said
    other.close()
    deadline = time.monotonic() + PATIENCE_S
    while count_waiting(waiting, uri) and time.monotonic() < deadline:
        pass
    assert count_waiting(waiting, uri) == 0
