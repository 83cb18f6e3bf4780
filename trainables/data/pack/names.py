"""What the images of a pack were called, by which lists of files choose among them."""

import json
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from trainables.data.pack.layout import SPLITS, Meta, read_meta, sha256_of

logger = logging.getLogger(__name__)

NAMES = "names.json"


def write_names(folder: Path, names: Sequence[str]) -> str:
    """Write a split's names, in the order of its index, and return the file's hash."""
    (folder / NAMES).write_text(json.dumps(list(names)))  # ASCII, whatever is in a name
    return sha256_of(folder / NAMES)


def read_names(folder: Path, meta: Meta) -> list[str]:
    """Return what each image of a split was called under the root of what was packed.

    Raises
    ------
    ValueError
        With a sentence, if the pack has no names or other ones.
    """
    path, where = folder / NAMES, f"data.root={folder.parent}"
    if not meta.names_sha256:
        raise ValueError(
            f"{where} was packed by a version that kept no names of files, which lists of files "
            f"need; run the 'raystudy pack' that made it again, which adds them."
        )
    if not path.is_file() or sha256_of(path) != meta.names_sha256:
        raise ValueError(
            f"{where}: {folder.name}/{NAMES} is missing or was changed after packing; copy it "
            f"again, or pack the images anew."
        )
    names: list[str] = json.loads(path.read_text())
    return names


def find(folder: Path, listed: Collection[str], where: str) -> list[int]:
    """Return the rows of a split's images that are listed.

    Parameters
    ----------
    folder : Path
        Of the split.
    listed : collection of str
        Names of files, each with as many of its folders as it takes to tell it from others; where
        there is ``train/``, from others in it. Those of other splits of the pack, such as of
        validation images cut out of the training images, are let through.
    where : str
        What the sentence starts with if something is wrong, such as ``labels.files=/tenth.txt``.

    Raises
    ------
    ValueError
        With a sentence, if a name is no image's, or several images'.
    """
    ends = defaultdict(list)
    for name in listed:
        ends[name.rpartition("/")[2]].append(name)
    images: dict[str, list[_Place]] = {name: [] for name in listed}
    root = folder.parent
    for split in SPLITS:
        for row, path in enumerate(read_names(root / split, read_meta(root, split))):
            for name in ends.get(path.rpartition("/")[2], ()):
                if f"/{path}".endswith(f"/{name}"):
                    images[name].append(_Place(split, row, "train" in path.split("/")))
    images = {name: [p for p in found if p.in_train] or found for name, found in images.items()}
    _refuse_no_one(images, where, root)
    rows = [one.row for found in images.values() for one in found if one.split == folder.name]
    logger.info(f"{where}: {len(rows):,} of {len(images):,} are {folder.name} images.")
    return rows


class _Place(NamedTuple):
    split: str
    row: int
    in_train: bool


def _refuse_no_one(images: dict[str, list[_Place]], where: str, root: Path) -> None:
    nobody = [name for name, found in images.items() if not found]
    if nobody:
        raise ValueError(
            f"{where} lists {len(nobody):,} of {len(images):,} files that are not in "
            f"data.root={root}, such as {nobody[0]!r}; list images of the pack, one a line."
        )
    several = next((name for name, found in images.items() if len(found) > 1), None)
    if several is not None:
        raise ValueError(
            f"{where} lists {several!r}, which {len(images[several])} images of data.root={root} "
            f"are called; write it with its folders."
        )
