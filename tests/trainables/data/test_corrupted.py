"""Corrupted test images: read as Hendrycks & Dietterich keep them, and refused otherwise."""

import pickle

import numpy as np
import pytest
import torch
from corruptions import darker, write_corruptions

from raystudy.config import compose
from trainables.data.corrupted import with_corruptions
from trainables.data.digits import digits
from trainables.data.fingerprint import fingerprint

NAMES = ["dark", "none"]


@pytest.fixture(scope="module")
def splits():
    return digits()


@pytest.fixture
def folder(splits, tmp_path):
    return write_corruptions(tmp_path / "c", splits.test)


def test_a_file_holds_one_severity_after_the_other(splits, folder):
    found = with_corruptions(splits, str(folder), NAMES)
    assert list(found.corrupted) == NAMES
    for name, severities in found.corrupted.items():
        assert len(severities) == 5
        for severity, part in enumerate(severities, start=1):
            expected = darker(splits.test, severity if name == "dark" else 0)
            assert torch.equal(part.labels, splits.test.labels)
            assert torch.equal(part.images.permute(0, 2, 3, 1), torch.from_numpy(expected))
    assert found.to("cpu").corrupted.keys() == found.corrupted.keys()


def test_other_corruptions_are_other_data(splits, folder):
    prints = {fingerprint(splits)}
    for names in (NAMES, ["dark"], ["none"]):
        prints.add(fingerprint(with_corruptions(splits, str(folder), names)))
    assert len(prints) == 4


def test_the_paper_has_fifteen():
    data = compose.load("swaro", ["data=cifar10_c"]).data
    assert len(set(data.corruptions)) == 15


def shorter(folder):
    np.save(folder / "dark.npy", np.load(folder / "dark.npy")[1:])


def other_labels(folder):
    labels = np.load(folder / "labels.npy")
    labels[7] += 1
    np.save(folder / "labels.npy", labels)


def as_floats(folder):
    np.save(folder / "dark.npy", np.load(folder / "dark.npy").astype(np.float32))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda f: (f / "dark.npy").unlink(),
            r"has no dark\.npy; name a folder with a file such as",
        ),
        (lambda f: (f / "labels.npy").unlink(), r"has no labels\.npy; .*CIFAR-10-C\.tar"),
        (lambda f: (f / "dark.npy").write_bytes(b"no"), r"dark\.npy cannot be read"),
        (lambda f: (f / "dark.npy").write_bytes((f / "dark.npy").read_bytes()[:999]), "cannot be"),
        (lambda f: (f / "dark.npy").write_bytes(pickle.dumps(print)), r"dark\.npy cannot be read"),
        (shorter, r"dark\.npy holds uint8 of shape \(\d+, 8, 8, 1\) and not uint8 of"),
        (as_floats, r"dark\.npy holds float32 of shape"),
        (other_labels, r"labels\.npy are not those of the 3\d\d test images"),
    ],
)
def test_what_is_no_such_folder_is_said(splits, folder, spoil, says):
    spoil(folder)
    with pytest.raises(ValueError, match=says):
        with_corruptions(splits, str(folder), NAMES)


@pytest.mark.parametrize("names", [[], ["dark", "dark"]])
def test_names_are_given_each_once(splits, folder, names):
    with pytest.raises(ValueError, match=r"data\.corruptions must be names, each once"):
        with_corruptions(splits, str(folder), names)
