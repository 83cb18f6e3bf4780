"""The 1,797 handwritten digits that come with scikit-learn."""

import importlib.util
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.image_set import ImageSet, Splits
from trainables.data.splitting import stratified


def digits(*, val_share: float = 0.2, test_share: float = 0.2, split_seed: int = 0) -> Splits:
    """Return 8 x 8 grey images of ten digits, nothing to download [1]_.

    Parameters
    ----------
    val_share, test_share : float
        Parts of each class kept for validation and test.
    split_seed : int
        Seed of the cut.

    References
    ----------
    .. [1] Alpaydin & Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI.
    """
    levels, labels = _read()
    pixels = (levels.float() * 255 / 16).round().to(torch.uint8)  # stored as 0 to 16
    everything = ImageSet(pixels.view(-1, 1, 8, 8), labels)
    val, test, train = (
        everything.rows(rows)
        for rows in stratified(everything.labels, (val_share, test_share), seed=split_seed)
    )
    return Splits(train, val, test, tuple("0123456789"))


def _read() -> tuple[Tensor, Tensor]:
    """Return grey levels (N, 64) and classes (N,).

    Importing ``sklearn.datasets`` takes 3 s of a core, in the driver and in every worker; the
    file it would read takes none.
    """
    sklearn = importlib.util.find_spec("sklearn")
    if sklearn is None or sklearn.origin is None:
        raise ValueError("data=digits needs scikit-learn: install scikit-learn.")
    table = Path(sklearn.origin).parent / "datasets" / "data" / "digits.csv.gz"
    if table.is_file():
        rows = np.loadtxt(table, delimiter=",", dtype=np.int64)
        return torch.from_numpy(rows[:, :64].copy()), torch.from_numpy(rows[:, 64].copy())
    from sklearn.datasets import load_digits

    source = load_digits()
    return torch.from_numpy(source.data), torch.from_numpy(source.target).long()
