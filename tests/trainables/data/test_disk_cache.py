"""What is kept on disk is made once and appears whole."""

import os
import subprocess
import sys

import pytest
import torch
from torch import distributed as dist

from trainables.data.disk_cache import kept


def test_makes_once_and_then_reads(tmp_path):
    path, made = tmp_path / "deep" / "x.pt", []

    def make():
        made.append(1)
        return {"x": torch.arange(5, dtype=torch.uint8)}

    for _ in range(3):
        assert torch.equal(kept(path, make)["x"], torch.arange(5, dtype=torch.uint8))
    assert made == [1]


@pytest.mark.parametrize("content", [b"", b"half a fi"])
def test_a_damaged_file_is_made_anew(tmp_path, content):
    path = tmp_path / "x.pt"
    path.write_bytes(content)
    assert kept(path, lambda: {"x": torch.ones(2)})["x"].tolist() == [1, 1]
    assert kept(path, dict)["x"].tolist() == [1, 1]


def test_a_truncated_file_is_made_anew(tmp_path):
    path = tmp_path / "x.pt"
    kept(path, lambda: {"x": torch.ones(1000)})
    path.write_bytes(path.read_bytes()[:2000])
    assert torch.equal(kept(path, lambda: {"x": torch.ones(1000)})["x"], torch.ones(1000))


def test_nothing_is_left_of_what_could_not_be_made(tmp_path):
    with pytest.raises(ZeroDivisionError):
        kept(tmp_path / "x.pt", lambda: {"x": torch.ones(1 // 0)})
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


def test_a_disk_that_is_full_is_an_error_of_the_system_and_leaves_nothing(tmp_path):
    pytest.importorskip("resource")
    script = (
        "import pathlib, resource, sys, torch\n"
        "from trainables.data.disk_cache import kept\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: kept(pathlib.Path(sys.argv[1]), lambda: {'x': torch.ones(1_000_000)})\n"
        "except OSError as error: print(error)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "x.pt")]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.stdout == "4 MB could not be written\n"
    assert [path.name for path in tmp_path.iterdir()] == ["x.lock"]


def ask_at_the_same_time(folder):
    def make():
        (folder / f"made by {os.getpid()}").touch()
        return {"x": torch.full((1000, 1000), dist.get_rank(), dtype=torch.uint8)}

    dist.barrier()
    return kept(folder / "x.pt", make)["x"].unique().tolist()


def test_of_several_processes_one_makes_and_all_read_the_same(run_ranks, tmp_path):
    pytest.importorskip("fcntl")
    first, second = run_ranks(ask_at_the_same_time, tmp_path)
    assert first == second
    assert len(list(tmp_path.glob("made by *"))) == 1
