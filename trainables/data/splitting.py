"""Cutting a data set once and for all."""

import torch
from torch import Tensor

from trainables.data.image_set import ImageSet


def stratified(labels: Tensor, shares: tuple[float, ...], *, seed: int) -> list[Tensor]:
    """Cut rows into parts with the same mix of classes.

    Parameters
    ----------
    labels : Tensor, shape (N,), int64
    shares : tuple of float
        Size of each part but the last, which gets the rest; all above 0, together below 1.
    seed : int
        The data set's own, never a trial's.

    Returns
    -------
    list of Tensor
        Row numbers of each part, ascending. A class too small for its share of a part is
        missing there.

    Raises
    ------
    ValueError
        If the shares do not fit, or so few images are cut that a part stays empty.
    """
    if min(shares) <= 0 or sum(shares) >= 1:
        raise ValueError(
            f"val_share and test_share must be above 0 and together below 1, got {_words(shares)}."
        )
    classes = labels.bincount().nonzero().flatten().tolist()
    generator = torch.Generator().manual_seed(seed)
    parts: list[list[Tensor]] = [[] for _ in range(len(shares) + 1)]
    for label in classes:
        rows = (labels == label).nonzero().flatten()
        rows = rows[torch.randperm(len(rows), generator=generator)]
        sizes = [round(share * len(rows)) for share in shares]
        for part, chosen in zip(parts, rows.split([*sizes, len(rows) - sum(sizes)]), strict=True):
            part.append(chosen)
    cut = [torch.cat(part).sort().values for part in parts]
    if min(len(rows) for rows in cut) == 0:
        raise ValueError(
            f"val_share and test_share must leave an image in every part: {_words(shares)} of "
            f"{len(labels)} images in {len(classes)} classes leave none."
        )
    return cut


def cut_validation(train: ImageSet, share: float, *, seed: int) -> tuple[ImageSet, ImageSet]:
    """Return what is left of `train`, and the validation images cut out of it."""
    val, rest = stratified(train.labels, (share,), seed=seed)
    return train.rows(rest), train.rows(val)


def _words(shares: tuple[float, ...]) -> str:
    return " and ".join(f"{share:g}" for share in shares)
