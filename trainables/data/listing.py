"""Which files of a folder are images of which class, and what is left out."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from trainables.data.decoder import endings, is_image
from trainables.data.tally import Tally

SPLITS = ("train", "val", "test")
SYSTEM = frozenset(  # in small letters; what starts with a dot is left out by that
    {
        *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "picasa.ini"),
        *("$recycle.bin", "system volume information", "found.000", "lost+found", "lost.dir"),
        *("__macosx", "icon\r", "network trash folder", "temporary items"),
        *("@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", "@__thumb"),
        *("__pycache__", "~snapshot"),
    }
)
UNDECODED = frozenset(  # images all the same
    {
        *(".heic", ".heif", ".hif", ".jxl", ".jxr", ".svg", ".dng", ".cr2", ".cr3", ".nef"),
        *(".arw", ".orf", ".rw2", ".raf", ".dcm", ".exr", ".hdr"),
    }
)
LAYOUT = "a folder of images for each class, or train/ and test/ with such folders"
FOLDER, IMAGE = "folder", "image"
HIDDEN = "hidden or an operating system's own"


@dataclass(frozen=True)
class File:
    """An image file as it was found."""

    name: str  # under the root
    size: int
    changed: int  # ns


@dataclass(frozen=True)
class Part:
    """The files of train/, of test/, or of everything, sorted by class and name."""

    classes: tuple[str, ...]
    files: list[File]
    labels: Tensor


def find_folder(root: str | None, layout: str) -> Path:
    """Return the folder that `data.root` names; refuse another by the layout it should have."""
    if root is None:
        raise ValueError(f"data.root is not set; name a folder that holds {layout}.")
    try:
        folder = Path(root).expanduser().resolve()
        there = folder.is_dir()
    except (RuntimeError, OSError, ValueError):  # nobody's home, links in a circle, no name at all
        there = False
    if not there:
        raise ValueError(f"data.root={root} is not a folder; name one that holds {layout}.")
    return folder


def class_names(root: str | None) -> tuple[str, ...]:
    """Return the classes of a folder without a look at its images.

    Raises
    ------
    ValueError
        As by `image_folder`, if there is no such folder or it is not laid out so.
    """
    folder = find_folder(root, LAYOUT)
    return tuple(_class_folders(folder, find_parts(folder, Tally())[0]))


def find_parts(folder: Path, left_out: Tally) -> Sequence[str]:
    """Return the names of the given splits, or one empty name where everything is to be cut."""
    given = [name for name in SPLITS if _has_folders(folder, name)]
    if not given:
        return [""]
    if not {"train", "test"} <= set(given):
        there = " and ".join(f"{name}/" for name in given)
        raise ValueError(
            f"data.root={folder} has {there} with class folders but not both train/ and test/; add "
            f"what is missing, or point data.root at one tree of class folders to have it cut."
        )
    for one, other in combinations(given, 2):
        if (folder / one).samefile(folder / other):
            raise ValueError(
                f"data.root={folder}: {one}/ and {other}/ are one and the same folder; give each "
                f"its own images, or point data.root at {folder / one} to have it cut."
            )
    for entry in _entries(folder, ""):
        if entry.name not in given:
            kind = _kind(entry)
            left_out.add(_outside(kind, "splits train/, val/ and test/"), entry.name)
    return given


def list_part(folder: Path, part: str, left_out: Tally) -> Part:
    """Return the images below `part`, which is "" for the folder itself."""
    classes: list[str] = []
    files: list[File] = []
    labels: list[int] = []
    for entry in _entries(folder, part):
        name = f"{part}/{entry.name}" if part else entry.name
        if (kind := _kind(entry)) != FOLDER:
            left_out.add(_outside(kind, "class folders"), name)
            continue
        found = _images(folder, name, left_out)
        files += found
        labels += [len(classes)] * len(found)
        classes.append(entry.name)
    _refuse_classes(folder, classes, left_out)
    return Part(tuple(classes), files, torch.tensor(labels))


def shared_classes(folder: Path, parts: dict[str, Part]) -> tuple[str, ...]:
    """Return the classes, which all splits must share."""
    (first, reference), *others = parts.items()
    for name, part in others:
        odd = sorted(set(reference.classes) ^ set(part.classes))
        if odd:
            where = first if odd[0] in reference.classes else name
            raise ValueError(
                f"data.root={folder}: {first}/ and {name}/ must have the same class folders, but "
                f"{odd[0]!r} is in {where}/ only."
            )
    return reference.classes


def _refuse_classes(folder: Path, classes: Sequence[str], left_out: Tally) -> None:
    beside = f" Left out: {left_out}." if left_out.counts else ""
    if not classes:
        raise ValueError(
            f"data.root={folder} has no class folders; images belong in root/<class>/, or in "
            f"root/train/<class>/ and root/test/<class>/.{beside}"
        )
    if len(classes) > 1 and set(classes) <= set(SPLITS):
        raise ValueError(
            f"data.root={folder}: {' and '.join(f'{name}/' for name in classes)} hold images and "
            f"no class folders; sort the images of each into folders, one per class."
        )
    if len(classes) == 1:
        raise ValueError(
            f"data.root={folder} has one class folder only, {classes[0]!r}; with nothing to "
            f"distinguish every measure would be perfect: give images of at least two classes."
            f"{beside}"
        )


def _has_folders(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() and bool(_class_folders(folder, name))


def _class_folders(folder: Path, name: str) -> list[str]:
    return [entry.name for entry in _entries(folder, name) if _kind(entry) == FOLDER]


def _entries(folder: Path, name: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder / name) as entries:  # much quicker than Path.iterdir for many files
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise ValueError(
            f"data.root={folder}: the folder {name or '.'!r} cannot be read ({error.strerror})."
        ) from None


def _images(folder: Path, name: str, left_out: Tally) -> list[File]:
    """Return the images of one class."""
    files, odd = [], Tally()
    for entry in _entries(folder, name):
        kind, file = _kind(entry), f"{name}/{entry.name}"
        if kind == FOLDER:
            raise ValueError(
                f"data.root={folder}: the class folder {name!r} holds a folder {entry.name!r}; "
                f"images belong directly in their class's folder."
            )
        if kind == IMAGE:
            found = entry.stat()
            files.append(File(file, found.st_size, found.st_mtime_ns))
        else:
            left_out.add(kind, file)
            odd.add(kind, entry.name)
    if not files:
        beside = f" It holds {odd}." if odd.counts else ""
        raise ValueError(
            f"data.root={folder}: the class folder {name!r} holds no images "
            f"(.jpg, .jpeg, .png, .tif, .webp, ...); fill it or remove it.{beside}"
        )
    return files


def _outside(kind: str, where: str) -> str:
    """Return why something is left out that stands where only certain folders belong."""
    return f"{kind} outside the {where}" if kind in (FOLDER, IMAGE) else kind


def _kind(entry: os.DirEntry[str]) -> str:
    """Return whether this is a folder or an image, or else why it is left out."""
    if entry.name[0] == "." or entry.name.lower() in SYSTEM:
        return HIDDEN
    try:
        if entry.is_symlink():
            entry.stat()  # of what it leads to, if anything
        if entry.is_dir():
            return FOLDER
        if not entry.is_file():
            return "neither file nor folder"  # a pipe, whose reader would wait for ever
    except OSError as error:
        lost = error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
        return "link that leads nowhere" if lost else "link that may not be followed"
    if not _ending(entry.name) and is_image(entry.path):
        return IMAGE
    return kind_of_name(entry.name)


def kind_of_name(name: str) -> str:
    """Return whether a file is called as an image is, or else why it is left out."""
    if name[0] == "." or name.lower() in SYSTEM:
        return HIDDEN
    ending = _ending(name)
    if ending in endings():
        return IMAGE
    if ending in UNDECODED:
        return f"{ending} image, which cannot be decoded here: save it as .png or .jpg"
    return f"{ending} file" if ending else "file without an ending, no image"


def _ending(name: str) -> str:
    """Return the ending in small letters, "" where what follows the dot is part of the name."""
    _, dot, ending = name.rpartition(".")
    plain = dot and ending.isascii() and ending.isprintable() and " " not in ending
    return f".{ending.lower()}" if plain and ending and not ending.isdigit() else ""
