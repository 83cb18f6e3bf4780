"""Which files of a source are images of which split and class.

Read are class folders, with ``train/``, ``val/`` and ``test/`` above them or without; ImageNet as
torchvision keeps it, its validation images in class folders or flat beside the devkit, or its
published tars; Tiny ImageNet with its file of annotations.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from trainables.data.listing import HIDDEN, IMAGE, SYSTEM, kind_of_name
from trainables.data.pack.ground_truth import published_labels
from trainables.data.pack.layout import SPLITS
from trainables.data.pack.sources import Source
from trainables.data.splitting import by_name, place
from trainables.data.tally import Tally

ALIASES = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SHOWN = 3


class Image(NamedTuple):
    """A file of one split."""

    name: str  # under the source's root
    label: int


@dataclass(frozen=True)
class Arrangement:
    """What will be packed.

    Parameters
    ----------
    images : mapping of str to list of Image
        By split.
    classes : list of str
    left_out : Tally
    notes : list of str
        What the user should know of how it was split.
    """

    images: Mapping[str, list[Image]]
    classes: list[str]
    left_out: Tally
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How splits that are not given are cut: by name, so that no image moves later.

    Parameters
    ----------
    val_share, test_share : float
    seed : int
    """

    val_share: float = 0.1
    test_share: float = 0.1
    seed: int = 0


Classes = dict[str, str]  # class of each image, by its name


def arrange(source: Source, cutting: Cutting) -> Arrangement:
    """Find the images of a source, their classes and their splits.

    Raises
    ------
    ValueError
        With the end of a sentence that starts with the source's name.
    """
    left_out, notes = Tally(), list[str]()
    names = [name for name in source.files if _is_image(name, left_out)]
    if not names:
        beside = f"; it holds {left_out}" if left_out.counts else ""
        raise ValueError(f"holds no images (.jpg, .jpeg, .png, .tif, .webp, ...){beside}.")
    root = _common_folder(names)
    found = _split(source, root, names, left_out)
    given = {name: classes for name, classes in found.items() if classes}
    if "train" not in given:
        raise ValueError(f"has {' and '.join(f'{one}/' for one in given)} but no train/.")
    classes = sorted(set(given["train"].values()))
    _refuse_classes(given, classes)
    labels = {name: number for number, name in enumerate(classes)}
    parts = _cut(given, root, cutting, notes)
    images = {
        split: [Image(name, labels[kind]) for name, kind in part.items()]
        for split, part in parts.items()
    }
    empty = [split for split in SPLITS if not images[split]]
    if empty:
        raise ValueError(
            f"leaves no images for the {empty[0]} split; give it a folder of its own, or raise "
            f"--val-share or --test-share."
        )
    return Arrangement(images, classes, left_out, notes)


def _is_image(name: str, left_out: Tally) -> bool:
    *folders, last = PurePosixPath(name).parts
    hidden = any(part[0] == "." or part.lower() in SYSTEM for part in folders)
    kind = HIDDEN if hidden else kind_of_name(last)
    if kind != IMAGE:
        left_out.add(kind, name)
    return kind == IMAGE


def _common_folder(names: list[str]) -> str:
    """Return the folder, with its ``/``, below which the splits or the classes are."""
    root = ""
    while True:
        below = {name.removeprefix(root).partition("/")[::2] for name in names}
        tops = {top for top, rest in below if rest}
        if len(tops) != 1 or not all(rest for _, rest in below) or tops <= set(ALIASES):
            return root
        root += f"{tops.pop()}/"


def _split(source: Source, root: str, names: list[str], left_out: Tally) -> dict[str, Classes]:
    """Return the class of each image, by split; one split "train" where everything is to be cut."""
    tops: dict[str, list[str]] = {}
    for name in names:
        top, _, rest = name.removeprefix(root).partition("/")
        tops.setdefault(top if rest else "", []).append(name)
    splits = [top for top in tops if top in ALIASES]
    if not splits:
        flat = tops.pop("", [])
        if not tops:
            raise ValueError(
                f"holds images and no class folders, such as {flat[0]!r}; sort them into folders, "
                f"one per class."
            )
        for name in flat:
            left_out.add("image outside the class folders", name)
        return {"train": {name: top for top, part in tops.items() for name in part}}
    for top in tops.keys() - set(splits):
        for name in tops[top]:
            left_out.add("image outside the splits train/, val/ and test/", name)
    found: dict[str, Classes] = {}
    for top in splits:
        if ALIASES[top] in found:
            raise ValueError(f"has more than one folder of {ALIASES[top]} images; keep one.")
        found[ALIASES[top]] = _classes_of(source, root, top, tops[top])
    _drop_unlabelled(found, left_out)
    return found


def _classes_of(source: Source, root: str, split: str, names: list[str]) -> Classes:
    """Return the class of each image of a split: its folder's, or what a file says of it."""
    if split != "train" and (labels := published_labels(source, root, f"{root}{split}/", names)):
        return labels
    below = {name: name.removeprefix(f"{root}{split}/").partition("/") for name in names}
    return {name: top if rest else "" for name, (top, _, rest) in below.items()}


def _drop_unlabelled(found: dict[str, Classes], left_out: Tally) -> None:
    """Leave out what has no classes: test images whose labels are not published."""
    known = set(found.get("train", {}).values())
    for split, classes in list(found.items()):
        without = [name for name, kind in classes.items() if not kind]
        if split == "test" and not known & set(classes.values()):
            without = list(classes)
        for name in without:
            left_out.add(f"image of {split}/ without a class", name)
        if split != "test" and len(without) == len(classes):
            raise ValueError(
                f"has {split}/ with images and no class folders, such as {without[0]!r}; sort them "
                f"into folders, one per class, or keep the file with their labels "
                f"(val_annotations.txt; ImageNet's devkit) beside them."
            )
        found[split] = {name: kind for name, kind in classes.items() if name not in set(without)}


def _refuse_classes(given: Mapping[str, Classes], classes: list[str]) -> None:
    for split, part in given.items():
        odd = sorted(set(part.values()) - set(classes))
        if odd:
            shown = ", ".join(map(repr, odd[:SHOWN]))
            raise ValueError(f"has classes in {split}/ that are not in train/: {shown}.")
    if len(classes) == 1:
        raise ValueError(
            f"has one class only, {classes[0]!r}; with nothing to distinguish every measure would "
            f"be perfect: give images of at least two classes."
        )


def _cut(
    given: Mapping[str, Classes], root: str, cutting: Cutting, notes: list[str]
) -> dict[str, Classes]:
    """Return all three splits; those that are not given come out of the training images."""
    parts, train = dict(given), given["train"]
    if "test" not in parts and "val" in parts:
        notes.append("val/ becomes the test split: it is what others report, and no search sees it")
        parts["test"] = parts.pop("val")
    missing = [split for split in ("val", "test") if split not in parts]
    shares = {"val": cutting.val_share, "test": cutting.test_share}
    if missing:
        names = list(train)
        rows = by_name(
            [_below(name, root) for name in names],
            tuple(shares[split] for split in missing),
            seed=cutting.seed,
        )
        for split, part in zip([*missing, "train"], rows, strict=True):
            parts[split] = {names[row]: train[names[row]] for row in part.tolist()}
            if split != "train":
                notes.append(f"{len(part):,} images of {len(names):,} become the {split} split")
    for split in ("val", "test"):  # out of the order of their classes: the first few are a sample
        parts[split] = _mixed(parts[split], root, cutting.seed)
    return {split: parts[split] for split in SPLITS}


def _mixed(part: Classes, root: str, seed: int) -> Classes:
    return dict(sorted(part.items(), key=lambda item: place(_below(item[0], root), seed)))


def _below(name: str, root: str) -> str:
    """Return the name under the folder of its split, by which `image_folder` mixes and cuts."""
    rest = name.removeprefix(root)
    top, _, below = rest.partition("/")
    return below if top in ALIASES else rest
