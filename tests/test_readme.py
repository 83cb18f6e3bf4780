"""The README's method from outside, run as it stands there."""

import re
from pathlib import Path

import pytest
from readme_examples import write_examples

from raystudy.cli import main


@pytest.fixture
def mine(tmp_path):
    return write_examples(tmp_path / "mine")


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
