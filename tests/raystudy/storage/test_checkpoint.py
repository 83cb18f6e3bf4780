"""Checkpoints: whole, verified, and never code."""

import multiprocessing
import pickle
import re
import resource
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import raystudy
from raystudy.errors import UserError
from raystudy.storage import checkpoint
from raystudy.storage.checkpoint import TrialCheckpoint


class Bomb:
    """An object whose unpickling creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_checkpoint_comes_back_equal(tmp_path):
    state = {"epoch": 3, "weights": torch.randn(4), "names": ["a", None, 0.1]}
    checkpoint.save(state, tmp_path / "last.ckpt")
    again = checkpoint.load(tmp_path / "last.ckpt")
    torch.testing.assert_close(again.pop("weights"), state.pop("weights"), rtol=0, atol=0)
    assert again == state


def test_saving_leaves_nothing_beside_the_checkpoint(tmp_path):
    checkpoint.save({"epoch": 1}, tmp_path / "last.ckpt")
    checkpoint.save({"epoch": 2}, tmp_path / "last.ckpt")
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def _save_until_killed(path):
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
    checkpoint.save({"weights": torch.ones(10_000)}, path)


def test_a_process_killed_within_a_write_leaves_the_checkpoint_before(tmp_path):
    path = tmp_path / "last.ckpt"
    checkpoint.save({"epoch": 1}, path)
    killed = multiprocessing.get_context("fork").Process(target=_save_until_killed, args=(path,))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGXFSZ
    assert (tmp_path / "last.ckpt.part").stat().st_size == 5000
    assert checkpoint.load(path) == {"epoch": 1}
    checkpoint.save({"epoch": 2}, path)
    assert [(there.name, checkpoint.load(there)["epoch"]) for there in tmp_path.iterdir()] == [
        ("last.ckpt", 2)
    ]


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "last.ckpt"
    checkpoint.save({"weights": torch.randn(1000)}, path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load(path)


def test_a_truncated_file_is_noticed(tmp_path):
    path = tmp_path / "last.ckpt"
    checkpoint.save({"weights": torch.randn(1000)}, path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load(path)


@pytest.mark.parametrize("write", [torch.save, lambda o, p: p.write_bytes(pickle.dumps(o))])
def test_code_in_a_checkpoint_does_not_run(tmp_path, write):
    write({"x": Bomb(str(tmp_path / "exploded"))}, tmp_path / "last.ckpt")
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load(tmp_path / "last.ckpt")
    assert not (tmp_path / "exploded").exists()


def test_weights_are_plain_safetensors(tmp_path):
    module = nn.BatchNorm1d(3)
    checkpoint.save_weights(module, tmp_path / "best.safetensors")
    weights = load_file(tmp_path / "best.safetensors")
    assert weights.keys() == module.state_dict().keys()


def test_a_trial_continues_from_what_was_kept(tmp_path):
    kept = TrialCheckpoint(
        trainer={"epoch": 2, "method": {"w": torch.ones(2)}},
        metrics={"val/accuracy": 0.5},
        best={"val/accuracy": {"epoch": 1, "value": 0.6, "beyond": 0.0}},
    )
    kept.save(tmp_path / "last.ckpt")
    read = TrialCheckpoint.load(tmp_path / "last.ckpt")
    assert (read.metrics, read.best) == (kept.metrics, kept.best)
    assert torch.equal(read.method["w"], torch.ones(2))


@pytest.mark.parametrize("state", [{}, {"trainer": 1}, {"trainer": {"epoch": 1}}, [1, 2]])
def test_what_is_no_checkpoint_of_a_trial_is_refused_in_a_sentence(state, tmp_path):
    checkpoint.save(state, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="is no checkpoint of a trial"):
        TrialCheckpoint.load(tmp_path / "other.ckpt")


def test_nobody_else_knows_how_a_trials_checkpoint_is_laid_out():
    sources = Path(raystudy.__file__).parent
    keys = re.compile(r'\["trainer"\]')
    strays = [path.name for path in sources.rglob("*.py") if keys.search(path.read_text())]
    assert strays == ["checkpoint.py"]
