"""Where results are is known to one file."""

import re
from pathlib import Path

import raystudy
from raystudy.config.output_dir import results_folder, results_folder_among
from raystudy.storage import output_dir

SPELLED_OUT = re.compile(r"output_dir\)?\.expanduser\(\)")


def test_they_are_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("RAYSTUDY_HOME", str(tmp_path / "mine"))
    assert output_dir.default() == results_folder([]) == tmp_path / "mine"


def test_a_home_and_a_way_back_are_followed(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert output_dir.resolve("~/a/../b") == results_folder(["output_dir=~/a/../b"])
    assert results_folder(["output_dir=~/a/../b"]) == tmp_path / "b"


def test_overrides_of_a_study_do_not_hide_them(tmp_path):
    overrides = [
        "data.root=/images",
        "optimizer.lr=0.1",
        f"++output_dir={tmp_path}",
        "tracker=none",
    ]
    assert results_folder_among(overrides) == tmp_path


def test_nobody_else_resolves_them():
    sources = Path(raystudy.__file__).parent
    strays = [path for path in sources.rglob("*.py") if SPELLED_OUT.search(path.read_text())]
    assert strays == [sources / "storage" / "output_dir.py"]
