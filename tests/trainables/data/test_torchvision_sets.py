"""CIFAR and STL-10, read by torchvision from small files of our own in their layout."""

import hashlib
import pickle

import numpy as np
import pytest
import torch
from torchvision import datasets

from raystudy.config import compose
from raystudy.trial.build import load_splits
from trainables.data.torchvision_sets import cifar, cifar10, cifar100, stl, stl10


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


def random_bytes(*shape):
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def small_cifar(tmp_path):
    """A root with 20 training and 10 test images of two classes, and what reads them."""
    base = tmp_path / "cifar-10-batches-py"
    base.mkdir()
    labels = [0, 1] * 10
    contents = {
        "data_batch_1": {"data": random_bytes(20, 3072), "labels": labels},
        "test_batch": {"data": random_bytes(10, 3072), "labels": labels[:10]},
        "batches.meta": {"label_names": ["cat", "dog"]},
    }
    for name, content in contents.items():
        (base / name).write_bytes(pickle.dumps(content))

    class SmallCIFAR(datasets.CIFAR10):
        train_list = [["data_batch_1", md5(base / "data_batch_1")]]  # noqa: RUF012
        test_list = [["test_batch", md5(base / "test_batch")]]  # noqa: RUF012
        meta = {  # noqa: RUF012
            "filename": "batches.meta",
            "key": "label_names",
            "md5": md5(base / "batches.meta"),
        }

    return SmallCIFAR, tmp_path, contents


@pytest.fixture
def small_stl(tmp_path):
    """A root with 20 labelled, 6 unlabelled and 4 test images, and what reads them."""
    base = tmp_path / "stl10_binary"
    base.mkdir()
    contents = {
        "train_X.bin": random_bytes(20, 3, 96, 96),
        "train_y.bin": np.tile(np.array([1, 2], dtype=np.uint8), 10),  # counted from 1
        "unlabeled_X.bin": random_bytes(6, 3, 96, 96),
        "test_X.bin": random_bytes(4, 3, 96, 96),
        "test_y.bin": np.array([2, 1, 2, 1], dtype=np.uint8),
    }
    for name, content in contents.items():
        content.tofile(base / name)
    (base / "class_names.txt").write_text("cat\ndog\n")

    class SmallSTL(datasets.STL10):
        train_list = [  # noqa: RUF012
            [name, md5(base / name)] for name in ("train_X.bin", "train_y.bin", "unlabeled_X.bin")
        ]
        test_list = [[name, md5(base / name)] for name in ("test_X.bin", "test_y.bin")]  # noqa: RUF012

    return SmallSTL, tmp_path, contents


def test_stl10_has_the_size_that_is_asked_for(small_stl, monkeypatch):
    source, root, _ = small_stl
    monkeypatch.setattr(datasets, "STL10", source)
    given = ["data=stl10", f"data.root={root}", "data.num_classes=2", "data.splits.val_share=0.2"]
    splits = load_splits(compose.load("byol", given))
    assert splits.train.images.shape == (16 + 6, 3, 64, 64)  # those without a label, too
    assert splits.test.images.shape == (4, 3, 64, 64)
    assert load_splits(compose.load("swaro", given)).test.images.shape == (4, 3, 96, 96)


def test_cifar_keeps_the_test_images_and_cuts_validation_from_training(small_cifar):
    source, root, contents = small_cifar
    splits = cifar(source, str(root), download=False, val_share=0.2, split_seed=0)
    assert torch.equal(
        splits.test.images,
        torch.from_numpy(contents["test_batch"]["data"]).view(-1, 3, 32, 32),
    )
    assert splits.test.labels.tolist() == [0, 1] * 5
    assert splits.val.labels.bincount().tolist() == [2, 2]
    assert splits.train.labels.bincount().tolist() == [8, 8]
    both = torch.cat([splits.train.images, splits.val.images]).flatten(1)
    stored = torch.from_numpy(contents["data_batch_1"]["data"])
    assert torch.equal(both.unique(dim=0), stored.unique(dim=0))
    assert splits.classes == ("cat", "dog")


def test_asking_for_a_download_of_what_is_there_reads_it(small_cifar):
    source, root, _ = small_cifar
    assert len(cifar(source, str(root), download=True, val_share=0.2, split_seed=0).train) == 16


def test_a_damaged_copy_is_refused(small_cifar):
    source, root, _ = small_cifar
    file = root / "cifar-10-batches-py" / "data_batch_1"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ValueError, match=f"data.root={root} holds no intact copy of SmallCIFAR "):
        cifar(source, str(root), download=False, val_share=0.2, split_seed=0)


def test_a_download_that_fails_says_why(small_cifar):
    source, root, _ = small_cifar
    source.url = "http://127.0.0.1:9/nobody-listens-here.tar.gz"
    (root / "cifar-10-batches-py" / "data_batch_1").unlink()
    message = (
        f"data.download=true: SmallCIFAR could not be downloaded to data.root={root}: .*refused"
    )
    with pytest.raises(ValueError, match=message):
        cifar(source, str(root), download=True, val_share=0.2, split_seed=0)


def test_unlabelled_images_follow_the_labelled_and_have_no_label(small_stl):
    source, root, contents = small_stl
    splits = stl(source, str(root), False, unlabelled=True, val_share=0.2, split_seed=0)
    assert (len(splits.train), len(splits.train.labels)) == (16 + 6, 16)
    # The files are column by column.
    unlabelled = torch.from_numpy(contents["unlabeled_X.bin"]).transpose(2, 3)
    assert torch.equal(splits.train.images[16:], unlabelled)
    assert splits.train.labels.unique().tolist() == [0, 1]
    assert (len(splits.val), len(splits.val.labels)) == (4, 4)


def test_without_unlabelled_images_the_labelled_splits_are_the_same(small_stl):
    source, root, contents = small_stl
    more = stl(source, str(root), False, unlabelled=True, val_share=0.2, split_seed=0)
    splits = stl(source, str(root), False, unlabelled=False, val_share=0.2, split_seed=0)
    assert len(splits.train) == len(splits.train.labels) == 16
    assert torch.equal(splits.train.images, more.train.labelled.images)
    assert torch.equal(splits.val.images, more.val.images)
    test_images = torch.from_numpy(contents["test_X.bin"]).transpose(2, 3)
    assert torch.equal(splits.test.images, test_images)
    assert splits.test.labels.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("factory", "title", "layout"),
    [
        (cifar10, "CIFAR10", "cifar-10-batches-py/, as cifar-10-python.tar.gz"),
        (cifar100, "CIFAR100", "cifar-100-python/, as cifar-100-python.tar.gz"),
        (stl10, "STL10", "stl10_binary/, as stl10_binary.tar.gz"),
    ],
)
def test_absent_files_name_the_layout_and_the_settings(factory, title, layout, tmp_path):
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        factory(root=str(tmp_path))
    assert str(refusal.value) == (
        f"data.root={tmp_path} holds no intact copy of {title} ({layout} unpacks); set data.root "
        f"to a folder that does, or data.download=true to download it there."
    )
