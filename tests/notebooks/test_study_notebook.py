"""The notebook, run by Jupyter as its reader runs it."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from old_studies import copy_study

NOTEBOOK = Path(__file__).with_name("study.ipynb")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    return tmp_path


def run(folder):
    """Return what each cell of code shows, as HTML where it can and else as text."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    done = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": folder}}).execute()
    results = [
        output["data"]
        for cell in done.cells
        for output in cell.get("outputs", ())
        if output["output_type"] == "execute_result"
    ]
    return [data.get("text/html", data["text/plain"]) for data in results]


def test_it_opens_a_study_that_exists(home):
    copy_study(home, "old-sweep", "at-1")
    shown, trials, curve, features, last = run(home)
    assert "at-1: complete, 4 of 4 trials" in shown
    assert "<svg" in shown
    assert trials.count("<tr") == 6  # two of them are heads
    assert "val/robust_accuracy" in curve
    assert features.startswith("torch.Size([2, ")
    assert last.startswith("(True, ")
    assert last.endswith(", 'report.html')")


@pytest.mark.ray
def test_it_makes_the_study_where_there_is_none(home):
    shown, *_, last = run(home)
    assert "at-1: complete, 2 of 2 trials" in shown
    assert last.startswith("(True, ")
