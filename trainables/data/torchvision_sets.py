"""CIFAR and STL-10, as torchvision stores, checks and downloads them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torchvision import datasets

from trainables.data.disk_cache import alone
from trainables.data.image_set import ImageSet, Splits
from trainables.data.resized import resized
from trainables.data.splitting import cut_validation

Source = Callable[..., Any]  # a class of torchvision.datasets


def cifar10(
    *, root: str, download: bool = False, val_share: float = 0.1, split_seed: int = 0
) -> Splits:
    """Return 60,000 colour images of ten classes, 32 x 32 [1]_.

    Parameters
    ----------
    root : str
        Folder that holds, or is to hold, torchvision's copy; its MD5 sums are checked.
    download : bool
        Fetch what is not there.
    val_share : float
        Part of each class of the 50,000 training images kept for validation.
    split_seed : int
        Seed of that cut. The 10,000 test images stay as published.

    References
    ----------
    .. [1] Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images".
    """
    return cifar(datasets.CIFAR10, root, download, val_share, split_seed)


def cifar100(
    *, root: str, download: bool = False, val_share: float = 0.1, split_seed: int = 0
) -> Splits:
    """Return 60,000 colour images of 100 classes, 32 x 32; all else as in `cifar10`."""
    return cifar(datasets.CIFAR100, root, download, val_share, split_seed)


def stl10(
    *,
    root: str,
    download: bool = False,
    unlabelled: bool = False,
    image_size: int = 96,
    val_share: float = 0.1,
    split_seed: int = 0,
) -> Splits:
    """Return 13,000 labelled colour images of ten classes, 96 x 96 [1]_.

    Parameters
    ----------
    root, download, val_share, split_seed
        As in `cifar10`; there are 5,000 training and 8,000 test images.
    unlabelled : bool
        Train on the 100,000 images without a label too. They follow the labelled ones in
        ``train.images`` and have no entry in ``train.labels``.
    image_size : int
        Pixels that they are resized to.

    References
    ----------
    .. [1] Coates, Lee & Ng 2011, "An Analysis of Single-Layer Networks in Unsupervised Feature
       Learning".
    """
    splits = stl(datasets.STL10, root, download, unlabelled, val_share, split_seed)
    return resized(splits, image_size)


def cifar(source: Source, root: str, download: bool, val_share: float, split_seed: int) -> Splits:
    """Return the splits of whatever reads files laid out like CIFAR's."""
    parts = [_open(source, root, download, train=train) for train in (True, False)]
    train, test = (
        ImageSet(
            torch.from_numpy(part.data).permute(0, 3, 1, 2).contiguous(),
            torch.tensor(part.targets),
        )
        for part in parts
    )
    rest, val = cut_validation(train, val_share, seed=split_seed)
    return Splits(rest, val, test, tuple(parts[0].classes))


def stl(
    source: Source,
    root: str,
    download: bool,
    unlabelled: bool,
    val_share: float,
    split_seed: int,
) -> Splits:
    """Return the splits of whatever reads files laid out like STL-10's."""
    wanted = "train+unlabeled" if unlabelled else "train"
    parts = [_open(source, root, download, split=split) for split in (wanted, "test")]
    train, test = (
        # Where torchvision says -1 there is no label; those rows are the last ones.
        ImageSet(torch.from_numpy(part.data).contiguous(), labels[labels >= 0].long())
        for part in parts
        for labels in [torch.from_numpy(part.labels)]
    )
    rest, val = cut_validation(train.labelled, val_share, seed=split_seed)
    pool = torch.cat([rest.resident, train.resident[len(train.labels) :]])
    return Splits(ImageSet(pool, rest.labels), val, test, tuple(parts[0].classes))


def _open(source: Source, root: str, download: bool, **part: Any) -> Any:
    folder = Path(root).expanduser()
    title = getattr(source, "__name__", "the data set")
    if download:
        try:
            with alone(folder / f".{title}.lock"):
                return source(root=str(folder), download=True, **part)
        except (OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())
            raise ValueError(
                f"data.download=true: {title} could not be downloaded to data.root={root}: {reason}"
            ) from None
    try:
        return source(root=str(folder), download=False, **part)
    except RuntimeError:  # whose sentence names no folder and no setting
        inside, archive = (getattr(source, name, "") for name in ("base_folder", "filename"))
        layout = f" ({inside}/, as {archive} unpacks)" if inside and archive else ""
        raise ValueError(
            f"data.root={root} holds no intact copy of {title}{layout}; set data.root to a folder "
            f"that does, or data.download=true to download it there."
        ) from None
