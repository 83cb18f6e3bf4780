"""The 1,797 handwritten digits that come with scikit-learn."""

import torch
from sklearn.datasets import load_digits

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
    source = load_digits()
    levels = torch.from_numpy(source.images).float() * 255 / 16  # stored as 0 to 16
    everything = ImageSet(
        levels.round().to(torch.uint8).unsqueeze(1), torch.from_numpy(source.target).long()
    )
    val, test, train = (
        everything.rows(rows)
        for rows in stratified(everything.labels, (val_share, test_share), seed=split_seed)
    )
    return Splits(train, val, test, tuple(str(name) for name in source.target_names))
