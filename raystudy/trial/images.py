"""The images a study was started on, recognised by their pixels."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from omegaconf import DictConfig

from raystudy.config import recipe
from raystudy.errors import UserError
from raystudy.storage import disk
from raystudy.storage.folders import StudyFolder
from raystudy.storage.manifest import Cut, Manifest
from trainables.data.fingerprint import fingerprint
from trainables.data.image_set import ImageSet, Splits
from trainables.data.pack.images import PackedImages

FILE = "images.npz"  # in the study's folder: what each image was, and in which split
SPLITS = ("train", "val", "test")
Digests = NDArray[np.uint64]


def cut_of(splits: Splits) -> Cut:
    """Return what a manifest keeps of images."""
    sizes = {name: len(getattr(splits, name)) for name in SPLITS}
    return Cut(fingerprint=fingerprint(splits), **sizes)


def save(folder: StudyFolder, splits: Splits) -> None:
    """Keep what each image is, so that it can be said later which ones changed."""
    with disk.replacing(folder.path / FILE) as file:
        train, val, test = (_digests(getattr(splits, name)) for name in SPLITS)
        np.savez_compressed(file, train=train, val=val, test=test)


def refuse_others(
    folder: StudyFolder, manifest: Manifest, settings: DictConfig, splits: Splits
) -> None:
    """Refuse to continue a study on other images than it was started on.

    Parameters
    ----------
    folder : StudyFolder
    manifest : Manifest
    settings : DictConfig
        Of a trial; one that asks for other data than the study itself is let through.
    splits : Splits
        The images there are now.

    Raises
    ------
    UserError
        With what has changed.
    """
    if manifest.images is None or not recipe.same_data(manifest.recipe, settings):
        return
    if manifest.images.fingerprint != fingerprint(splits):
        raise UserError(
            f"{folder.id} was started on other images of data={settings.data.name}: since then "
            f"{_changes(folder, manifest.images, splits)}; put them back as they were (data.root "
            f"names the folder), or start another study."
        )


def refuse_trained_on(folder: StudyFolder, label: str, images: ImageSet, splits: Splits) -> None:
    """Refuse to measure a network on images that it was trained on.

    Images that changed since are measured anew; among them must be none that moved.

    Parameters
    ----------
    folder : StudyFolder
        Of the study that trained it.
    label : str
        The network's.
    images : ImageSet
        What is to be measured on.
    splits : Splits
        The images there are now.

    Raises
    ------
    UserError
        With how many there are.
    """
    manifest = folder.read_manifest()
    if manifest.images is None or manifest.images.fingerprint == fingerprint(splits):
        return
    known = _read(folder)
    if not known:
        return
    # What was in both before is a double in the data, and none that moved.
    moved = np.setdiff1d(known["train"], np.concatenate([known["val"], known["test"]]))
    reused = int(np.isin(_digests(images), moved).sum())
    if reused:
        raise UserError(
            f"{label} was trained on {reused} of the {len(images)} images it is to be measured on, "
            f"for since then {_changes(folder, manifest.images, splits)}; put them back as they "
            f"were, or train a network on them as they are."
        )


def _changes(folder: StudyFolder, before: Cut, splits: Splits) -> str:
    """Return in words how images differ from those of a study."""
    now = cut_of(splits)
    sizes = [
        f"{name} {getattr(before, name)} to {getattr(now, name)}"
        for name in SPLITS
        if getattr(before, name) != getattr(now, name)
    ]
    counts = f" ({', '.join(sizes)})" if sizes else ""
    if not (known := _read(folder)):
        return f"images or their split changed{counts}"
    old = Counter(np.concatenate([known[name] for name in SPLITS]).tolist())
    new = Counter(np.concatenate([_digests(getattr(splits, name)) for name in SPLITS]).tolist())
    added, gone = (new - old).total(), (old - new).total()
    if not (added or gone):
        return f"the same images were given other classes, names or splits{counts}"
    parts = [f"{added} came" if added else "", f"{gone} went" if gone else ""]
    return f"{' and '.join(filter(None, parts))}{counts}"


def _digests(part: ImageSet) -> Digests:
    if isinstance(part.images, PackedImages):
        return part.images.digests()
    pixels = part.images.cpu().contiguous().numpy()
    shape = str(pixels.shape[1:]).encode()
    found = [hashlib.blake2b(one.data, digest_size=8, key=shape).digest() for one in pixels]
    return np.frombuffer(b"".join(found), dtype=np.uint64)


def _read(folder: StudyFolder) -> dict[str, Digests]:
    """Return what each image was; nothing where that is not known."""
    path: Path = folder.path / FILE
    if not path.is_file():
        return {}
    with np.load(path) as file:
        return {name: file[name] for name in SPLITS}
