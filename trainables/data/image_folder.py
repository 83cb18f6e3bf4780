"""Any folder of images, one folder per class."""

import functools
import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from trainables.data.decoder import Decoder
from trainables.data.decoding import Decoded, decode, remarks
from trainables.data.disk_cache import kept
from trainables.data.image_set import ImageSet, Splits
from trainables.data.listing import (
    LAYOUT,
    File,
    find_folder,
    find_parts,
    list_part,
    shared_classes,
)
from trainables.data.splitting import by_name, place, refuse_one_class, stratified
from trainables.data.tally import Tally

logger = logging.getLogger(__name__)

Cut = Literal["name", "order"]
NAME_LENGTH = 40
FORMAT = 2  # of the cached pixels; raise it when decoding changes


def image_folder(
    *,
    root: str | None,
    image_size: int | None = None,
    channels: int = 3,
    convert: bool = False,
    val_share: float = 0.1,
    test_share: float = 0.1,
    split_seed: int = 0,
    cut: Cut = "name",
    cache_dir: str | None = None,
) -> Splits:
    """Return the images of a folder, decoded once and kept in `cache_dir`.

    Either ``root/train/<class>/*`` and ``root/test/<class>/*``, with ``root/val/<class>/*`` if
    there is one, or ``root/<class>/*``, which is cut. What is left out, because it is no image or
    hidden, is logged once, with how many there are, at level INFO.

    Parameters
    ----------
    root : str
    image_size : int, optional
        Shorten the shorter side to so many pixels and cut out the middle; None asks that all
        images have one size.
    channels : {1, 3}
        Grey or colour.
    convert : bool
        Turn grey images into colour ones, or the other way round; otherwise refuse a mixture.
    val_share, test_share : float
        Parts of each class kept for validation and test, where they are not given.
    split_seed : int
        Seed of that cut.
    cut : {"name", "order"}
        By an image's name, so that none moves when others are added, or by its place among the
        others of its class, as the first studies were cut, whose ``study.json`` knows no images.
    cache_dir : str, optional
        Where pixels are kept, under a name that depends on every file's name, size and time of
        change; None keeps none. Files of folders that have changed since are left there.

    Raises
    ------
    ValueError
        In one sentence, for whatever is wrong with the folder.
    """
    if cut not in get_args(Cut):
        raise ValueError(f"data.splits.cut must be name or order, got '{cut}'.")
    decoder = Decoder(image_size=image_size, channels=channels, convert=convert)
    folder, left_out = find_folder(root, LAYOUT), Tally()
    parts = {name: list_part(folder, name, left_out) for name in find_parts(folder, left_out)}
    classes = shared_classes(folder, parts)
    if left_out.counts:
        _say(f"data.root={folder}: left out {left_out.counts.total():,}: {left_out}")
    files = [file for part in parts.values() for file in part.files]
    pixels = _pixels(folder, files, decoder, cache_dir)
    sizes = [len(part.files) for part in parts.values()]
    sets = {
        name: _Named(ImageSet(images, part.labels), _below(name, part.files))
        for (name, part), images in zip(parts.items(), torch.split(pixels, sizes), strict=True)
    }
    splits = _cut(sets, classes, _Cutter((val_share, test_share), split_seed, cut))
    try:
        refuse_one_class(splits)
    except ValueError as error:
        raise ValueError(f"data.root={root}: {error}") from None
    return splits


def _pixels(folder: Path, files: Sequence[File], decoder: Decoder, cache_dir: str | None) -> Tensor:
    names = [file.name for file in files]

    def make() -> Decoded:
        return decode(folder, names, decoder)

    found = _kept(_cached(folder, files, decoder), cache_dir, make) if cache_dir else make()
    notes = remarks(names, found)
    if notes.counts:
        _say(f"data.root={folder}: {notes}")
    return found["pixels"]


def _kept(name: str, cache_dir: str, make: Callable[[], Decoded]) -> Decoded:
    try:
        return kept(Path(cache_dir).expanduser() / name, make)
    except (OSError, RuntimeError) as error:  # the latter where ~ is nobody's home
        reason = getattr(error, "strerror", None) or error
        raise ValueError(
            f"data.cache_dir={cache_dir} cannot be used ({reason}); choose another "
            f"folder, or null to decode the images at every start."
        ) from None


def _cached(folder: Path, files: Sequence[File], decoder: Decoder) -> str:
    digest = hashlib.sha256(_bytes(f"{FORMAT} {folder} {decoder}"))
    for file in files:
        digest.update(_bytes(f"\n{file}"))
    plain = re.sub(r"[^\w.-]", "_", folder.name, flags=re.ASCII)[:NAME_LENGTH]
    return f"{plain}-{digest.hexdigest()[:16]}.pt"


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")  # a name need not be UTF-8


@functools.cache  # once in a process, however often a command reads the folder
def _say(sentence: str) -> None:
    logger.info(sentence)


def _below(part: str, files: Sequence[File]) -> list[str]:
    """Return the files' names under the folder of their split."""
    return [file.name.removeprefix(f"{part}/") if part else file.name for file in files]


@dataclass(frozen=True)
class _Named:
    images: ImageSet
    names: list[str]

    def rows(self, rows: Tensor) -> "_Named":
        return _Named(self.images.rows(rows), [self.names[row] for row in rows.tolist()])


@dataclass(frozen=True)
class _Cutter:
    shares: tuple[float, float]
    seed: int
    cut: Cut

    def parts(self, whole: _Named, shares: tuple[float, ...]) -> list[_Named]:
        if self.cut == "order":
            rows = stratified(whole.images.labels, shares, seed=self.seed)
        else:
            rows = by_name(whole.names, shares, seed=self.seed)
        return [whole.rows(part) for part in rows]

    def mixed(self, part: _Named) -> ImageSet:
        """Return images out of the order of their classes: the first so many are a fair sample."""
        if self.cut == "order":
            generator = torch.Generator().manual_seed(self.seed)
            return part.images.rows(torch.randperm(len(part.images), generator=generator))
        places = [place(name, self.seed) for name in part.names]
        return part.images.rows(torch.tensor(places, dtype=torch.float64).argsort(stable=True))


def _cut(sets: dict[str, _Named], classes: tuple[str, ...], cutter: _Cutter) -> Splits:
    if "val" in sets:
        train, val, test = sets["train"], sets["val"], sets["test"]
    elif "train" in sets:
        val, train = cutter.parts(sets["train"], cutter.shares[:1])
        test = sets["test"]
    else:
        val, test, train = cutter.parts(sets[""], cutter.shares)
    return Splits(train.images, cutter.mixed(val), cutter.mixed(test), classes)
