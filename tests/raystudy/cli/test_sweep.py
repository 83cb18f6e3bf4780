"""The main job, as a user types it, on a real Ray, of a method of the user's own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from busy import PATIENCE_S, unhurried
from documents import write_examples
from shadows import shadow_modules

from raystudy.cli import main
from raystudy.storage.journal import Snapshot

pytestmark = pytest.mark.ray

COMMAND = Path(sys.executable).with_name("raystudy")
SHORT = ["max_epochs=3", "min_epochs=3", "scaling.num_cpus=2", "tracker=none"]
SMALL = ["encoder.widths=[8,16]"]


@pytest.fixture
def home(tmp_path):
    """Return a results folder, beside the user's own files and some that nobody must import."""
    write_examples(tmp_path / "mine")
    shadow_modules(tmp_path)
    return tmp_path / "results"


def as_typed(home, **environment):
    """Return how a command is started: from the user's folder, which the path names as well."""
    typed = {"RAYSTUDY_HOME": str(home), "PYTHONPATH": ":nowhere", **environment}
    return {"cwd": home.parent, "env": {**os.environ, **typed}, "text": True}


def run(home, *arguments, **environment):
    return subprocess.run(
        [COMMAND, *arguments],
        **as_typed(home, **environment),
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )


def method_state(folder):
    return torch.load(folder / "last.ckpt", weights_only=True)["trainer"]["method"]


def epochs_told(home, study):
    """Each epoch of each trial, as often as it is in the journal; also of a running study."""
    told = {}
    for log in Snapshot(home / "studies" / study / "journal.log").read_logs(0):
        for key in log.get("user_attr", {}):
            if key.startswith("epoch:"):
                told.setdefault(log["trial_id"], []).append(int(key.removeprefix("epoch:")))
    return told


def num_epochs(home, study):
    return sum(map(len, epochs_told(home, study).values()))


def interrupt(driver):
    driver.send_signal(signal.SIGINT)


def kill_node(driver):
    kill_child(driver, "raylet/raylet")


def kill_child(driver, name):
    """Kill a process of the driver's Ray."""
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if name in command_line.read_text():
                parent = command_line.with_name("stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == driver.pid:
                    os.kill(int(command_line.parent.name), signal.SIGKILL)


def cut_off_in_second_epoch(home, cut_off, *arguments):
    """Run until a trial's second epoch is shown and, a moment later, in the journal; cut off."""
    before = num_epochs(home, "align-1")
    driver = subprocess.Popen(
        [COMMAND, *arguments],
        **as_typed(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = []
    for line in driver.stdout:
        said.append(line)
        if "epoch   2/3" in line:
            break
    patience = time.monotonic() + PATIENCE_S
    while num_epochs(home, "align-1") == before and time.monotonic() < patience:
        time.sleep(0.01)
    cut_off(driver)
    said.append(driver.stdout.read())
    return driver.wait(PATIENCE_S), "".join(said)


def assert_trained_alike(home, *studies):
    """Compare the networks of trial 0 of each, bit for bit."""
    first, *others = (
        method_state(home / "studies" / study / "trials" / "0000") for study in studies
    )
    for other in others:
        for name, tensor in first.items():
            if isinstance(tensor, torch.Tensor):
                assert torch.equal(tensor, other[name]), name


def cut_and_resume(home, cuts, num_trials):
    """Cut a sweep off again and again, then let it finish; return its overrides."""
    overrides = [f"study.num_trials={num_trials}", *SHORT, *SMALL]
    sweep = ["sweep", "align", "--search-path", "mine", *overrides]
    arguments, before = sweep, 0
    for cut_off, code, word in cuts:
        ended, said = cut_off_in_second_epoch(home, cut_off, *arguments)
        assert ended == code, said
        assert word in said
        assert "method.spread" in said
        told = num_epochs(home, "align-1")
        assert told > before, said
        arguments, before = ["resume", "align-1"], told
    with TemporaryDirectory() as short:  # for the paths of Ray's sockets
        resumed = run(home, *arguments, TMPDIR=short, HOME=short)
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        assert list(Path(short).glob("raystudy-*")) == list(Path(short).glob(".ray")) == []
    assert unhurried(resumed.stderr) == ""
    assert "best trial:" in resumed.stdout
    assert "raystudy confirm" in resumed.stdout
    assert epochs_told(home, "align-1") == {number: [1, 2, 3] for number in range(num_trials)}
    return overrides


def test_a_sweep_cut_off_again_and_again_loses_nothing_and_concludes(home, monkeypatch):
    cuts = [(interrupt, 130, "raystudy resume align-1"), (subprocess.Popen.kill, -9, "")]
    overrides = cut_and_resume(home, cuts, num_trials=3)
    manifest = json.loads((home / "studies" / "align-1" / "study.json").read_text())
    assert manifest["overrides"] == overrides
    monkeypatch.setenv("RAYSTUDY_HOME", str(home))
    assert main.main(["replay", "align-1/0", "study.id=again", "tracker=none"]) == 0
    assert_trained_alike(home, "align-1", "again")


@pytest.mark.slow
def test_a_sweep_whose_node_dies_says_so_and_loses_nothing(home):
    cut_and_resume(home, [(kill_node, 1, "Ray has died (its node")], num_trials=2)
