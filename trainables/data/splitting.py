"""Cutting a data set once and for all."""

import functools
import hashlib
import re
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from trainables.data.image_set import ImageSet, Splits

TENTHS = 10
SHOWN = 3  # classes in a sentence
NAMES = {"train": "training", "val": "validation", "test": "test"}


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
    _refuse_shares(shares)
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


def by_name(names: Sequence[str], shares: tuple[float, ...], *, seed: int) -> list[Tensor]:
    """Cut images into parts by what each is called, whatever else there is.

    No image moves to another part because others are added or removed: then what was a test image
    of a trained network stays one.

    Parameters
    ----------
    names : sequence of str
    shares : tuple of float
        Size of each part but the last, as in `stratified`; of few images a part may have a few
        more or less.
    seed : int
        The data set's own, never a trial's.

    Returns
    -------
    list of Tensor
        Row numbers of each part, ascending; some may be empty.
    """
    _refuse_shares(shares)
    places = torch.tensor([place(name, seed) for name in names], dtype=torch.float64)
    bounds = torch.tensor(shares, dtype=torch.float64).cumsum(0)
    part = torch.bucketize(places, bounds, right=True)
    return [(part == number).nonzero().flatten() for number in range(len(shares) + 1)]


def place(name: str, seed: int) -> float:
    """Return where in [0, 1) a name stands, as if drawn at random.

    Ten names that differ in their last number only, such as 20 to 29, fill every tenth of the
    range once: draws of their own would leave a tenth of 20 images without any every eighth time.
    """
    stem, _, ending = name.rpartition(".")
    kind = re.fullmatch(r"(.*?)([0-9]*)([^0-9]*)", stem or ending, re.DOTALL)
    assert kind is not None
    before, number, after = kind.groups()
    text = f"{seed}\n{before}\n{after}"
    if not number:
        return _chance(text)
    block, slot = divmod(int(number), TENTHS)
    draws = _draws(text, block)
    rank = sum(draw < draws[slot] for draw in draws)
    return (rank + _chance(f"{text}\n{int(number)}")) / TENTHS


@functools.lru_cache(maxsize=1024)  # names come in order
def _draws(text: str, block: int) -> list[float]:
    return [_chance(f"{text}\n{block}\n{slot}") for slot in range(TENTHS)]


def _chance(text: str) -> float:
    digest = hashlib.sha256(text.encode(errors="surrogateescape")).digest()
    return (int.from_bytes(digest[:8]) >> 12) / 2**52  # more bits could round up to 1


def refuse_one_class(splits: Splits) -> None:
    """Refuse splits with which there is nothing to distinguish: every measure would be perfect.

    Raises
    ------
    ValueError
        Naming the split.
    """
    for name, words in NAMES.items():
        labels = getattr(splits, name).labels
        if not len(labels) and name == "train":  # all without labels
            continue
        if is_one_class(labels):
            what = f"the {words} split has no images"
            if len(labels):
                only = splits.classes[int(labels[0])]
                what = f"all {len(labels)} {words} images are of one class, {only!r}"
            raise ValueError(
                f"{what}; with nothing to distinguish every measure would be perfect: add images "
                f"of every class, raise data.splits.val_share or test_share, or give the splits as "
                f"folders train/, val/ and test/ of their own."
            )


def is_one_class(labels: Tensor) -> bool:
    """Return whether there is nothing to distinguish."""
    return bool((labels == labels[:1]).all())


def missing_classes(splits: Splits) -> Iterator[str]:
    """Yield a sentence for each split in which classes do not occur."""
    for name, words in NAMES.items():
        labels = getattr(splits, name).labels
        there = set(labels.unique().tolist())
        absent = [one for number, one in enumerate(splits.classes) if number not in there]
        if absent and len(labels):
            shown = ", ".join(map(repr, absent[:SHOWN]))
            more = f" and {len(absent) - SHOWN} more" if len(absent) > SHOWN else ""
            yield f"no {words} image is of {shown}{more}: what is measured says nothing of them."


def _refuse_shares(shares: tuple[float, ...]) -> None:
    if min(shares) <= 0 or sum(shares) >= 1:
        raise ValueError(
            f"val_share and test_share must be above 0 and together below 1, got {_words(shares)}."
        )


def cut_validation(train: ImageSet, share: float, *, seed: int) -> tuple[ImageSet, ImageSet]:
    """Return what is left of `train`, and the validation images cut out of it."""
    val, rest = stratified(train.labels, (share,), seed=seed)
    return train.rows(rest), train.rows(val)


def _words(shares: tuple[float, ...]) -> str:
    return " and ".join(f"{share:g}" for share in shares)
