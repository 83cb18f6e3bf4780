"""The README's method from outside, run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from busy import PATIENCE_S, unhurried
from shadows import shadow_modules

from raystudy.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()
COMMAND = str(Path(sys.executable).with_name("raystudy"))


def blocks(language):
    """Return the code blocks of a language: of a method of one's own, and of a tracker."""
    method, tracker = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return method, tracker


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "tracker").mkdir()
    for ending, language in (("py", "python"), ("yaml", "yaml")):
        method, tracker = blocks(language)
        (folder / f"align.{ending}").write_text(method)
        name = "my_tracker.py" if ending == "py" else "tracker/lines.yaml"
        (folder / name).write_text(tracker)
    return folder


def accuracies(printed):
    return [float(value) for value in re.findall(r"epoch +\d+/\d+ clean ([\d.]+)", printed)]


def test_a_method_from_outside_trains(tmp_path, monkeypatch, capsys, mine):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    code = main.main(["train", "align", f"--search-path={mine}", "tracker=lines"])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert len(accuracies(said.out)) == 5
    assert accuracies(said.out)[-1] > 0.9
    assert [line.split()[:2] for line in Path("lines.txt").read_text().splitlines()] == [
        ["0", str(epoch)] for epoch in range(1, 6)
    ]


@pytest.mark.ray
def test_a_method_from_outside_is_searched_and_no_process_imports_from_where_it_was_typed(
    tmp_path, mine
):
    shadow_modules(tmp_path)
    arguments = [f"--search-path={mine}", "study.num_trials=2", "max_epochs=1", "tracker=none"]
    done = subprocess.run(
        [COMMAND, "sweep", "align", *arguments, "scaling.num_cpus=2"],
        env={**os.environ, "RAYSTUDY_HOME": str(tmp_path), "PYTHONPATH": ":nowhere"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert unhurried(done.stderr) == ""
    assert "2 trials ended (2 complete)" in done.stdout
    assert f"--search-path={mine}" in done.stdout
