"""Test images under common corruptions, in files beside a data set [1]_.

References
----------
.. [1] Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions
   and Perturbations", arXiv:1903.12261.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from trainables.data.image_set import ImageSet, Splits
from trainables.data.torchvision_sets import cifar10

SEVERITIES = 5
LABELS = "labels"
ORIGIN = (
    "a folder with a file such as fog.npy for each of data.corruptions, and labels.npy, as in "
    "Hendrycks & Dietterich's CIFAR-10-C.tar"
)


def cifar10_c(
    *,
    root: str,
    corrupted: str,
    corruptions: Sequence[str],
    download: bool = False,
    val_share: float = 0.1,
    split_seed: int = 0,
) -> Splits:
    """Return CIFAR-10, with its test images under corruptions besides.

    Parameters
    ----------
    root, download, val_share, split_seed
        As in `cifar10`.
    corrupted, corruptions
        As in `with_corruptions`.
    """
    splits = cifar10(root=root, download=download, val_share=val_share, split_seed=split_seed)
    return with_corruptions(splits, corrupted, corruptions)


def with_corruptions(splits: Splits, folder: str, names: Sequence[str]) -> Splits:
    """Return the same splits, with the test images under corruptions besides.

    Files are mapped, not read: no more of them is in memory than is measured on.

    Parameters
    ----------
    splits : Splits
    folder : str
        Where ``<name>.npy`` are: all test images in their order at severity 1, then at 2, to 5,
        shape (5 N, H, W, C), uint8. ``labels.npy`` are their classes.
    names : sequence of str

    Raises
    ------
    ValueError
        In one sentence, if they are not there, or of other images.
    """
    if not names or len(set(names)) < len(names):
        raise ValueError(f"data.corruptions must be names, each once, got {list(names)}.")
    labels = splits.test.labels
    if not np.array_equal(_load(folder, LABELS), labels.repeat(SEVERITIES).numpy()):
        raise ValueError(
            f"data.corrupted={folder}: labels.npy are not those of the {len(labels):,} test images "
            f"at {SEVERITIES} severities; they belong to other images."
        )
    return replace(
        splits, corrupted={name: _severities(splits.test, folder, name) for name in names}
    )


def _severities(test: ImageSet, folder: str, name: str) -> list[ImageSet]:
    count, channels, height, width = test.images.shape
    found, expected = _load(folder, name), (SEVERITIES * count, height, width, channels)
    if found.shape != expected or found.dtype != np.uint8:
        raise ValueError(
            f"data.corrupted={folder}: {name}.npy holds {found.dtype} of shape {found.shape} and "
            f"not uint8 of {expected}, the test images at {SEVERITIES} severities."
        )
    pixels = torch.from_numpy(found).permute(0, 3, 1, 2)
    return [ImageSet(part, test.labels) for part in torch.split(pixels, count)]


def _load(folder: str, name: str) -> npt.NDArray[Any]:
    path = Path(folder).expanduser() / f"{name}.npy"
    try:
        # Copied where it is written to, which nobody does: torch wants an array that can be.
        found: npt.NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"data.corrupted={folder} has no {name}.npy; name {ORIGIN}.") from None
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise ValueError(
            f"data.corrupted={folder}: {name}.npy cannot be read ({reason}); copy it again."
        ) from None
    return found
