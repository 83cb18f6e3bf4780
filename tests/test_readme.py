"""The README's method from outside, run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from busy import PATIENCE_S, unhurried

README = (Path(__file__).parents[1] / "README.md").read_text()


def block(language):
    """Return the one code block of a language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return code


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "align.py").write_text(block("python"))
    (folder / "align.yaml").write_text(block("yaml"))
    return folder


def run(home, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "raystudy.cli.main", *arguments],
        env={**os.environ, "RAYSTUDY_HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def accuracies(printed):
    return [float(value) for value in re.findall(r"epoch +\d+/\d+ clean ([\d.]+)", printed)]


def test_a_method_from_outside_trains(tmp_path, mine):
    done = run(tmp_path, "train", "align", f"--search-path={mine}", "tracker=none")
    assert done.returncode == 0, done.stderr
    assert len(accuracies(done.stdout)) == 5
    assert accuracies(done.stdout)[-1] > 0.9


@pytest.mark.ray
def test_a_method_from_outside_is_searched(tmp_path, mine):
    arguments = [f"--search-path={mine}", "study.num_trials=2", "max_epochs=1", "tracker=none"]
    done = run(tmp_path, "sweep", "align", *arguments, "scaling.num_cpus=2")
    assert done.returncode == 0, done.stderr
    assert unhurried(done.stderr) == ""
    assert "2 trials ended (2 complete)" in done.stdout
    assert f"--search-path={mine}" in done.stdout
