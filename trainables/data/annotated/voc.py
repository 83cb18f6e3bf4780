"""PASCAL VOC: the classes in the images of 2007, and the segments in those of 2012."""

import functools
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from trainables.data.annotated.images import (
    AnnotatedData,
    AnnotatedImages,
    AnnotatedSplits,
    fingerprint,
    read_text,
    refuse_missing,
)
from trainables.data.listing import find_folder

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
PRESENT, ABSENT, DIFFICULT = 1, -1, 0
VOID = 255  # borders, and what is hard to tell
ARCHIVES = {
    2007: "VOCtrainval_06-Nov-2007.tar and VOCtest_06-Nov-2007.tar",
    2012: "VOCtrainval_11-May-2012.tar",
}


def voc07(*, root: str | None, channels: int = 3) -> AnnotatedData:
    """Return 9,963 images, half of them for the fitting, with the classes of 20 in each [1]_.

    Of each image a row of 20 numbers: 1 where the class is there, -1 where not, and 0 where only
    objects are that the data set calls difficult, which count neither way.

    Parameters
    ----------
    root : str
        Folder that holds ``VOCdevkit/VOC2007``.
    channels : {1, 3}
        As the encoder sees images.

    References
    ----------
    .. [1] Everingham et al. 2010, "The PASCAL Visual Object Classes (VOC) Challenge".
    """
    return AnnotatedData("voc07", {"classes": functools.partial(_classified, root, channels)})


def voc12(*, root: str | None, channels: int = 3) -> AnnotatedData:
    """Return 1,464 images for the fitting and 1,449 to measure on, segmented into 20 classes.

    Of each image the file of its segments: class numbers from 1, 0 for the background and 255
    for what counts neither way.

    Parameters
    ----------
    root : str
        Folder that holds ``VOCdevkit/VOC2012``.
    channels : {1, 3}
    """
    return AnnotatedData("voc12", {"segments": functools.partial(_segmented, root, channels)})


def _classified(root: str | None, channels: int) -> AnnotatedSplits:
    folder = _find(root, 2007, "Annotations", "ImageSets/Main")
    parts = []
    for name in ("trainval", "test"):
        names = _listed(folder, f"ImageSets/Main/{name}.txt", 2007)
        labels = [_classes_in(folder / "Annotations" / f"{one}.xml", 2007) for one in names]
        parts.append(AnnotatedImages(_images(folder, names, f"{name}.txt"), labels, channels))
    said = str([[label.tolist() for label in part.annotations] for part in parts])
    return _splits(parts, said)


def _segmented(root: str | None, channels: int) -> AnnotatedSplits:
    folder = _find(root, 2012, "SegmentationClass", "ImageSets/Segmentation")
    parts = []
    for name in ("train", "val"):
        names = _listed(folder, f"ImageSets/Segmentation/{name}.txt", 2012)
        masks = [folder / "SegmentationClass" / f"{one}.png" for one in names]
        refuse_missing(masks, f"{name}.txt")
        parts.append(AnnotatedImages(_images(folder, names, f"{name}.txt"), masks, channels))
    said = str([(m.name, m.stat().st_size) for part in parts for m in part.annotations])
    return _splits(parts, said)


def _splits(parts: Sequence[AnnotatedImages], said: str) -> AnnotatedSplits:
    train, test = parts
    return AnnotatedSplits(train, test, CLASSES, fingerprint([*train.files, *test.files], said))


def _find(root: str | None, year: int, *inside: str) -> Path:
    """Return the folder of a year: where the archives put it, or `root` itself."""
    parts = ("JPEGImages", *inside)
    layout = f"VOCdevkit/VOC{year} with {', '.join(parts)}"
    start = find_folder(root, f"{layout} ({ARCHIVES[year]}, unpacked)")
    for folder in (start / "VOCdevkit" / f"VOC{year}", start / f"VOC{year}", start):
        if all((folder / part).is_dir() for part in parts):
            return folder
    raise ValueError(f"data.root={root} does not hold {layout}; unpack {ARCHIVES[year]} there.")


def _listed(folder: Path, file: str, year: int) -> list[str]:
    lines = read_text(folder / file, f"unpack {ARCHIVES[year]} anew").split("\n")
    names = [line.split()[0] for line in lines if line.strip()]
    if not names:
        raise ValueError(f"{folder / file} lists no image.")
    return names


def _images(folder: Path, names: Sequence[str], listed: str) -> list[Path]:
    files = [folder / "JPEGImages" / f"{one}.jpg" for one in names]
    refuse_missing(files, listed)
    return files


def _classes_in(file: Path, year: int) -> Tensor:
    """Return which classes an annotation names, shape (20,), int8."""
    advice = f"unpack {ARCHIVES[year]} anew"
    labels = torch.full((len(CLASSES),), ABSENT, dtype=torch.int8)
    try:
        objects = ElementTree.fromstring(read_text(file, advice)).findall("object")
    except ElementTree.ParseError as error:
        raise ValueError(f"{file} is no XML that can be read ({error}); {advice}.") from None
    for one in objects:
        name = (one.findtext("name") or "").strip()
        if name not in CLASSES:
            raise ValueError(f"{file} names '{name}', which is no class of VOC; {advice}.")
        is_difficult = (one.findtext("difficult") or "0").strip() == "1"
        place = CLASSES.index(name)
        labels[place] = max(int(labels[place]), DIFFICULT if is_difficult else PRESENT)
    return labels


def read_segments(file: Path, size: tuple[int, int]) -> Tensor:
    """Return class numbers, shape (H, W), uint8.

    Parameters
    ----------
    file : Path
        A PNG with a palette.
    size : (int, int)
        H and W of the image, which must be the same.

    Raises
    ------
    ValueError
        That names the file.
    """
    try:
        with Image.open(file, formats=("PNG",)) as image:
            mode, numbers = image.mode, np.array(image)
    except Exception as error:  # Pillow's decoders raise whatever they like
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} is not a readable PNG ({reason}).") from None
    if mode not in ("P", "L"):
        raise ValueError(f"{file} holds {mode} colours, not the numbers of classes.")
    if numbers.shape != size:
        raise ValueError(f"{file} is of {numbers.shape} pixels, its image of {size}.")
    if odd := set(np.unique(numbers).tolist()) - {*range(len(CLASSES) + 1), VOID}:
        raise ValueError(f"{file} holds {min(odd)}, which is no class of VOC.")
    return torch.from_numpy(numbers)
