"""Any folder of images, one folder per class."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from trainables.data.decoding import Decoder, decode
from trainables.data.disk_cache import kept
from trainables.data.image_set import ImageSet, Splits
from trainables.data.splitting import by_name, place, refuse_one_class, stratified

ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm"),
)
Cut = Literal["name", "order"]
FORMAT = 1  # of the cached pixels; raise it when decoding changes


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
    there is one, or ``root/<class>/*``, which is cut. Files that are no images are passed over,
    and so is what begins with a dot.

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
        change; None keeps none. Files of folders that have changed since are left behind there.

    Raises
    ------
    ValueError
        In one sentence, for whatever is wrong with the folder.
    """
    if cut not in get_args(Cut):
        raise ValueError(f"data.splits.cut must be name or order, got '{cut}'.")
    decoder = Decoder(image_size=image_size, channels=channels, convert=convert)
    folder = _folder(root)
    parts = {name: _list(folder, name) for name in _parts(folder)}
    classes = _classes(folder, parts)
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


def class_names(root: str | None) -> tuple[str, ...]:
    """Return the classes of a folder without a look at its images.

    Raises
    ------
    ValueError
        As by `image_folder`, if there is no such folder or it is not laid out so.
    """
    folder = _folder(root)
    return tuple(_class_folders(folder / _parts(folder)[0]))


@dataclass(frozen=True)
class _File:
    name: str  # under the root
    size: int
    changed: int  # ns


@dataclass(frozen=True)
class _Part:
    """The files of train/, of test/, or of everything, sorted by class and name."""

    classes: tuple[str, ...]
    files: list[_File]
    labels: Tensor


def _folder(root: str | None) -> Path:
    if root is None:
        raise ValueError(
            "data.root is not set; name the folder of images, as in data.root=~/pictures."
        )
    folder = Path(root).expanduser().resolve()
    if not folder.is_dir():
        raise ValueError(f"data.root={root} is not a folder.")
    return folder


def _parts(folder: Path) -> Sequence[str]:
    """Return the names of the given splits, or one empty name where everything is to be cut."""
    given = [name for name in ("train", "val", "test") if _has_folders(folder / name)]
    if not given:
        return [""]
    if not {"train", "test"} <= set(given):
        there = " and ".join(f"{name}/" for name in given)
        raise ValueError(
            f"data.root={folder} has {there} with class folders but not both train/ and test/; add "
            f"what is missing, or point data.root at one tree of class folders to have it cut."
        )
    return given


def _has_folders(path: Path) -> bool:
    return path.is_dir() and bool(_class_folders(path))


def _class_folders(path: Path) -> list[str]:
    return [entry.name for entry in _entries(path) if entry.is_dir()]


def _entries(path: Path) -> list[os.DirEntry[str]]:
    with os.scandir(path) as entries:  # much quicker than Path.iterdir for many files
        return sorted((e for e in entries if e.name[0] != "."), key=lambda e: e.name)


def _list(folder: Path, part: str) -> _Part:
    classes = _class_folders(folder / part)
    if not classes:
        raise ValueError(
            f"data.root={folder} has no class folders; images belong in root/<class>/, or in "
            f"root/train/<class>/ and root/test/<class>/."
        )
    files: list[_File] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        found = _images(folder, f"{part}/{name}" if part else name)
        files += found
        labels += [label] * len(found)
    if len(classes) == 1:
        raise ValueError(
            f"data.root={folder} has one class folder only, '{classes[0]}'; with nothing to tell "
            f"apart every measure would be perfect: give images of at least two classes."
        )
    return _Part(tuple(classes), files, torch.tensor(labels))


def _images(folder: Path, name: str) -> list[_File]:
    """Return the images of one class."""
    files = []
    for entry in _entries(folder / name):
        if entry.is_dir():
            raise ValueError(
                f"data.root={folder}: the class folder '{name}' holds a folder '{entry.name}'; "
                f"images belong directly in their class's folder."
            )
        if entry.name.lower().endswith(ENDINGS):
            stat = entry.stat()
            files.append(_File(f"{name}/{entry.name}", stat.st_size, stat.st_mtime_ns))
    if not files:
        raise ValueError(
            f"data.root={folder}: the class folder '{name}' holds no images "
            f"({', '.join(ENDINGS)}); fill it or remove it."
        )
    return files


def _classes(folder: Path, parts: dict[str, _Part]) -> tuple[str, ...]:
    """Return the classes, which all splits must share."""
    (first, reference), *others = parts.items()
    for name, part in others:
        odd = sorted(set(reference.classes) ^ set(part.classes))
        if odd:
            where = first if odd[0] in reference.classes else name
            raise ValueError(
                f"data.root={folder}: {first}/ and {name}/ must have the same class folders, but "
                f"'{odd[0]}' is in {where}/ only."
            )
    return reference.classes


def _pixels(
    folder: Path, files: Sequence[_File], decoder: Decoder, cache_dir: str | None
) -> Tensor:
    def make() -> dict[str, Tensor]:
        return {"pixels": decode(folder, [file.name for file in files], decoder)}

    if cache_dir is None:
        return make()["pixels"]
    digest = hashlib.sha256(f"{FORMAT} {folder} {decoder}".encode())
    for file in files:
        digest.update(f"\n{file}".encode())
    name = f"{folder.name}-{digest.hexdigest()[:16]}.pt"
    try:
        return kept(Path(cache_dir).expanduser() / name, make)["pixels"]
    except OSError as error:
        raise ValueError(
            f"data.cache_dir={cache_dir} cannot be used ({error.strerror or error}); choose "
            f"another folder, or null to decode the images at every start."
        ) from None


def _below(part: str, files: Sequence[_File]) -> list[str]:
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
