"""`raystudy ui` takes a port that is free, and says so where none is."""

import socket

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
