"""Who runs a study, and how it is reached from another machine."""

import json
import os
import socket
import subprocess
import sys

import pytest
from busy import PATIENCE_S
from study_holder import HOLDER

from raystudy.cli import main, stop
from raystudy.errors import UserError
from raystudy.storage import lock
from raystudy.storage.folders import create_study_folder, is_locked
from raystudy.storage.manifest import Manifest

RANGE_HOLDER = """
import fcntl, sys
from pathlib import Path
from raystudy.storage import lock
with (Path(sys.argv[1]) / "request").open("a+") as file:
    assert lock._lock_range(file, fcntl.F_WRLCK)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    folder = create_study_folder(tmp_path, "swaro", "s")
    folder.write_manifest(Manifest(kind="sweep", name="swaro", overrides=()))
    return folder


@pytest.fixture
def start(folder):
    """Start a process that holds the folder; end it after the test."""
    started = []

    def run(code):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([sys.executable, "-c", code, str(folder.path)], **pipes))
        assert started[-1].stdout.readline() == "held\n"
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def move_elsewhere(folder):
    """Let the lock say that a process of the same number on another machine holds it."""
    kept = json.loads((folder.path / "lock").read_text())
    kept |= {"host": "elsewhere", "started": "another-boot/12"}
    (folder.path / "lock").write_text(json.dumps(kept))


def test_a_lock_names_host_process_and_start(folder):
    with folder.locked():
        owner = lock.owner(folder.path)
        assert (owner.pid, owner.host) == (os.getpid(), socket.gethostname())
        assert owner.is_here(folder.path)
        move_elsewhere(folder)
        assert not lock.owner(folder.path).is_here(folder.path)
        with pytest.raises(UserError, match=rf"another process \(process {os.getpid()} on elsew"):
            folder.locked().__enter__()
    assert not is_locked(folder)


def test_an_old_lock_is_that_of_the_process_that_has_it_open(folder):
    (folder.path / "lock").write_text(str(os.getpid()))
    assert lock.owner(folder.path) == lock.Owner(pid=os.getpid())
    assert not lock.owner(folder.path).is_here(folder.path)
    with (folder.path / "lock").open():
        assert lock.owner(folder.path).is_here(folder.path)
    (folder.path / "lock").write_text("")
    assert lock.owner(folder.path) is None


def test_a_driver_on_another_machine_is_paused_and_stopped_through_its_folder(
    folder, start, capsys
):
    driver = start(HOLDER)
    move_elsewhere(folder)
    assert main.main(["pause", "s"]) == 0
    assert driver.stdout.readline() == "paused\n"
    assert main.main(["stop", "s"]) == 0
    assert driver.wait(PATIENCE_S) == 0
    assert "raystudy resume s" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["stop", "pause"])
@pytest.mark.parametrize("left", ["new", "old"])
def test_one_that_reads_no_requests_is_named_and_no_process_here_is_signalled(
    folder, start, capsys, verb, left
):
    driver, bystander = start(HOLDER), start("print('held', flush=True); input()")
    (folder.path / "request").unlink()
    if left == "old":
        (folder.path / "lock").write_text(str(bystander.pid))
    else:
        move_elsewhere(folder)
    assert main.main([verb, "s"]) == 2
    host = "another machine" if left == "old" else "elsewhere"
    assert f"on {host}, which cannot be reached from here; type 'raystudy {verb} s' there" in (
        capsys.readouterr().err
    )
    assert (driver.poll(), bystander.poll()) == (None, None)


def test_one_that_does_not_answer_is_named(folder, start, capsys, monkeypatch):
    monkeypatch.setattr(stop, "PATIENCE_S", 0.0)
    start(RANGE_HOLDER)
    move = {"pid": 7, "host": "elsewhere", "started": "another-boot/12"}
    (folder.path / "lock").write_text(json.dumps(move))
    assert main.main(["stop", "s"]) == 1
    assert "still running after 0 s, as process 7 on elsewhere" in capsys.readouterr().out


def test_a_lock_of_the_servers_kind_keeps_others_out_too(folder, start):
    (folder.path / "lock").touch()
    start(RANGE_HOLDER)
    assert is_locked(folder)
    with pytest.raises(UserError, match="being run by another process"):
        folder.locked().__enter__()
