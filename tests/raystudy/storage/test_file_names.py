"""Any name that the file system allows works in results folders and in what is written."""

import os
import sqlite3
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from raystudy.storage.file_names import readable
from raystudy.storage.folders import create_study_folder, write_atomically
from raystudy.storage.manifest import Manifest
from raystudy.trackers.mlflow.artifact_paths import local
from raystudy.trackers.mlflow.store_uri import default_artifacts, store_uri
from trainables.pictures.drawing import draw
from trainables.pictures.figures import Scatter

ODD = [
    "with space",
    "50%41off",
    "a#b",
    "what?",
    "q'uo\"te",
    "[old];=,&$HOME(ü)",
    "new\nline",
    "tab\tand \\",
    os.fsdecode(b"not \xff utf-8"),
]


@given(st.binary(min_size=1).map(os.fsdecode))
def test_what_is_readable_is_utf_8_and_otherwise_the_same(name):
    shown = readable(name)
    assert shown.encode()
    try:
        name.encode()
    except UnicodeEncodeError:
        assert "\\x" in shown
    else:
        assert shown == name


@given(st.text(st.characters()))
def test_any_text_is_made_readable(text):
    readable(text).encode()


@pytest.mark.parametrize("name", ODD)
def test_files_of_ours_keep_a_name(tmp_path, name):
    path = tmp_path / "config.yaml"
    write_atomically(path, OmegaConf.to_yaml({"root": f"/data/{name}"}))
    text = path.read_text(errors="surrogateescape")
    assert OmegaConf.create(text).root == f"/data/{name}"
    folder = create_study_folder(tmp_path, "study")
    manifest = Manifest(kind="sweep", name="swaro", search_path=(name,))
    folder.write_manifest(manifest)
    assert folder.read_manifest() == manifest


@pytest.mark.parametrize("name", ODD)
def test_mlflow_gets_a_store_and_a_place_that_lead_into_the_folder(tmp_path, name):
    home = tmp_path / name
    home.mkdir()
    uri = store_uri(None, str(home))
    path, _, options = uri.removeprefix("sqlite:///").partition("?")
    assert options == ""
    uri.encode()
    with sqlite3.connect(path) as database:
        database.execute("create table one (x)")
    assert (home / "mlflow.db").is_file()
    artifacts = default_artifacts(str(home))
    artifacts.encode()
    local(artifacts).mkdir()
    assert (home / "artifacts").is_dir()


PRINT = """
import sys
from raystudy.storage import file_names
file_names.to_terminal()
print(*sys.argv[1:], sep="\\0", end="")
"""


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "utf-8:strict"])
def test_a_terminal_gets_the_bytes_of_a_name(encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [sys.executable, "-c", PRINT, *ODD], capture_output=True, env=environment, check=True
    )
    names = [name.replace("ü", "\\xfc") if encoding == "ascii" else name for name in ODD]
    assert done.stdout.split(b"\0") == [os.fsencode(name) for name in names]


def test_a_class_of_any_name_is_drawn():
    names = ("$100$", "$\\frac$", "_hidden", "a\nb", *map(readable, ODD))
    scatter = Scatter(
        title="t",
        note="n",
        points=torch.rand(len(names), 2),
        labels=torch.arange(len(names)),
        classes=names,
    )
    assert draw(scatter, "$\\frac$ _\n").startswith(b"\x89PNG")
