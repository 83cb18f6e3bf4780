"""Files of weights: what is plain is read, the rest is named and nothing of it run."""

import argparse
import os
import pickle
import re
from collections import OrderedDict
from pathlib import PosixPath

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import save_file

from trainables.networks.small_conv import SmallConv
from trainables.networks.weight_files import read_weights


def small():
    return SmallConv(channels=1, widths=[4, 8], mean=[0.0], std=[1.0])


def test_a_checkpoint_with_more_than_weights_gives_its_tensors(tmp_path):
    weights = small().state_dict()
    torch.save({"epoch": 3, "model": weights, "args": {"lr": 0.1}}, tmp_path / "a.pth")
    found = read_weights(tmp_path / "a.pth")
    assert list(found) == [f"model.{name}" for name in weights]


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def pickle_to(content, path):
    path.write_bytes(pickle.dumps(content, protocol=2))


@pytest.mark.parametrize("save", [torch.save, pickle_to])
@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_code_in_a_file_is_not_run(tmp_path, save, name):
    save({"conv1.weight": torch.zeros(2), "x": Harmful(tmp_path / "ran")}, tmp_path / name)
    with pytest.raises(ValueError, match="nothing in it has been run"):
        read_weights(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04" + bytes(40), bytes(100)])
def test_a_file_that_is_not_what_it_says_is_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=f"{name} (is neither|holds no|is empty)"):
        read_weights(tmp_path / name)


def test_a_file_cut_short_is_refused(tmp_path):
    torch.save(small().state_dict(), tmp_path / "a.pth")
    whole = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "a.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="neither"):
        read_weights(tmp_path / "a.pth")


def test_no_file_and_no_tensors_are_told(tmp_path):
    with pytest.raises(ValueError, match="is not there"):
        read_weights(tmp_path / "a.pth")
    torch.save({"epoch": 1}, tmp_path / "b.pth")
    with pytest.raises(ValueError, match="no tensors"):
        read_weights(tmp_path / "b.pth")


def test_a_file_that_holds_itself_is_refused(tmp_path):
    endless = {"weight": torch.zeros(2)}
    endless["again"] = endless
    torch.save(endless, tmp_path / "endless.pt")
    with pytest.raises(ValueError, match="holds itself, without end"):
        read_weights(tmp_path / "endless.pt")


@pytest.mark.parametrize(
    "beside",
    [
        np.float64(0.9),
        np.float32(0.9),
        np.int64(3),
        np.bool_(True),
        np.array(["a", "b"]),
        np.array([None, 1], dtype=object),
        [np.float64(0.9), {"best": np.float64(0.5)}],
        OrderedDict(lr=np.float64(0.1)),
    ],
    ids=str,
)
@pytest.mark.parametrize("zipped", [True, False])
def test_numbers_of_numpy_beside_the_weights_do_not_matter(tmp_path, beside, zipped):
    content = {"model": small().state_dict(), "accuracy": beside}
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_weights(tmp_path / "a.pth")
    assert list(found) == [f"model.{name}" for name in content["model"]]


def test_weights_that_are_arrays_of_numpy_are_weights(tmp_path):
    arrays = {
        "float": np.arange(6, dtype=np.float32).reshape(2, 3),
        "half": np.ones((2, 2), np.float16),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "swapped": np.arange(3, dtype=">f4"),
        "whole": np.array(7),
    }
    torch.save(arrays, tmp_path / "a.pth")
    found = read_weights(tmp_path / "a.pth")
    assert {name: value.tolist() for name, value in found.items()} == {
        name: value.tolist() for name, value in arrays.items()
    }
    assert found["half"].dtype == torch.float16


def test_names_of_numpy_before_its_second_version_are_known(tmp_path):
    torch.save(
        {"w": np.ones(2), "x": np.float64(1)},
        tmp_path / "a.pth",
        _use_new_zipfile_serialization=False,
    )
    content = (tmp_path / "a.pth").read_bytes().replace(b"numpy._core", b"numpy.core")
    (tmp_path / "a.pth").write_bytes(content)
    assert read_weights(tmp_path / "a.pth")["w"].tolist() == [1, 1]


@pytest.mark.parametrize(
    ("beside", "name"),
    [
        (argparse.Namespace(lr=0.1), "argparse.Namespace"),
        (PosixPath("/data"), "pathlib.PosixPath"),
        (OmegaConf.create({"lr": 0.1}), "omegaconf.dictconfig.DictConfig"),
        (OmegaConf.create([1]), "omegaconf.listconfig.ListConfig"),
    ],
    ids=["namespace", "path", "config", "list of a config"],
)
@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_what_is_not_plain_is_named_and_the_lines_that_are_shown_convert_the_file(
    tmp_path, beside, name, nested, zipped
):
    weights = dict(small().state_dict())
    path = tmp_path / "it's a.pth.tar"
    content = {"model": weights, "args": beside} if nested else {**weights, "x": beside}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=f"holds {re.escape(name)}, which is no") as refused:
        read_weights(path)
    sentence, *lines = str(refused.value).splitlines()
    assert "nothing in it has been run." in sentence
    assert len(lines) == 3
    exec("\n".join(line.strip() for line in lines), {})
    found = read_weights(tmp_path / "it's a.pth-weights.pt")
    assert list(found) == [f"model.{name}" if nested else name for name in weights]


def test_torchscript_is_named_and_the_lines_that_are_shown_convert_it(tmp_path):
    network = torch.nn.Sequential(torch.nn.Linear(2, 3))
    torch.jit.trace(network, torch.zeros(1, 2)).save(tmp_path / "a.pt")
    with pytest.raises(ValueError, match="is a TorchScript archive") as refused:
        read_weights(tmp_path / "a.pt")
    exec("\n".join(line.strip() for line in str(refused.value).splitlines()[1:]), {})
    assert list(read_weights(tmp_path / "a-weights.pt")) == ["0.weight", "0.bias"]


def test_the_content_and_not_the_ending_says_what_a_file_is(tmp_path):
    weights = small().state_dict()
    save_file(weights, tmp_path / "a.pth")
    torch.save(weights, tmp_path / "b.safetensors")
    assert read_weights(tmp_path / "a.pth").keys() == weights.keys()
    assert read_weights(tmp_path / "b.safetensors").keys() == weights.keys()


def test_a_folder_and_an_empty_file_are_named_as_what_they_are(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        read_weights(tmp_path)
    (tmp_path / "a.pth").touch()
    with pytest.raises(ValueError, match=r"a\.pth is empty"):
        read_weights(tmp_path / "a.pth")


def test_no_conversion_is_shown_of_a_pickle_that_torch_cannot_convert(tmp_path):
    for protocol in (2, 5):
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(PosixPath("/data"), protocol=protocol))
        with pytest.raises(ValueError, match="is neither safetensors nor a torch checkpoint"):
            read_weights(tmp_path / "a.pkl")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_of_a_later_protocol_is_named(tmp_path, zipped):
    torch.save(
        {"w": torch.zeros(2), "x": "long enough to be framed"},
        tmp_path / "a.pth",
        pickle_protocol=4,
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(ValueError, match="holds a pickle of protocol 4 or later"):
        read_weights(tmp_path / "a.pth")
