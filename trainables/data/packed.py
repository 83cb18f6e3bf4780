"""Images of a pack, of any number, read while they are trained on."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from trainables.data.image_set import ImageSet, Splits
from trainables.data.listing import find_folder
from trainables.data.pack.images import PackedImages, PixelSource
from trainables.data.pack.layout import Part, read_meta, read_parts
from trainables.data.splitting import refuse_one_class

LARGEST = 8192  # pixels a side, as of what is packed
LAYOUT = "what 'raystudy pack FOLDER OUT' made"
Groups = Mapping[str, Sequence[str]]  # classes, each of some classes of a pack


def packed(
    *, root: str | None, image_size: int, in_memory: bool = False, threads: int | None = None
) -> Splits:
    """Return the splits of what ``raystudy pack`` made.

    Random resized crops are cut out of whole images and resized with antialiasing; everyone else
    sees an image's middle, 7/8 of the shorter side, as the papers evaluate. Where all images have
    `image_size` already they are what is seen, and boxes are cut on the device as they are of
    images in memory.

    Parameters
    ----------
    root : str
        The folder.
    image_size : int
        Height and width in pixels of what training and evaluation see.
    in_memory : bool
        Decode all images once, at the start; the numbers are the same.
    threads : int, optional
        That decode; as many as torch computes with if left out. The numbers are the same.

    Raises
    ------
    ValueError
        In one sentence, for whatever is wrong with the pack.
    """
    return classes_of_pack(
        lambda classes: {name: [name] for name in classes},
        root=root,
        image_size=image_size,
        in_memory=in_memory,
        threads=threads,
    )


def classes_of_pack(
    choose: Callable[[Sequence[str]], Groups],
    *,
    root: str | None,
    image_size: int,
    in_memory: bool = False,
    threads: int | None = None,
) -> Splits:
    """Return the images of some classes of a pack, under other names where they are grouped.

    Parameters
    ----------
    choose : callable
        Gets the pack's classes, by label; returns the new ones, each with those it is made of.
    root, image_size, in_memory, threads
        As in `packed`.

    Raises
    ------
    ValueError
        In one sentence, for whatever is wrong with the pack, or by `choose`.
    """
    if not 1 <= image_size <= LARGEST:
        raise ValueError(f"data.image_size must be between 1 and {LARGEST}, got {image_size}.")
    if threads is not None and threads < 1:
        raise ValueError(f"data.threads must be at least 1, or null, got {threads}.")
    parts = read_parts(find_folder(root, LAYOUT))
    known = parts["train"].meta.classes
    groups = choose(known)
    label_of = np.full(len(known), -1)
    for label, members in enumerate(groups.values()):
        label_of[[known.index(name) for name in members]] = label

    def images(part: Part) -> ImageSet:
        labels = label_of[part.rows["label"]]
        members = np.flatnonzero(labels >= 0)
        source = PixelSource(
            part,
            f"data.root={root}: ",
            members,
            size=image_size,
            threads=threads,
            in_memory=in_memory,
        )
        return ImageSet(PackedImages(source, members), torch.from_numpy(labels[members]))

    train, val, test = (images(parts[name]) for name in ("train", "val", "test"))
    splits = Splits(train, val, test, tuple(groups))
    try:
        refuse_one_class(splits)
    except ValueError as error:
        raise ValueError(f"data.root={root}: {error}") from None
    return splits


def packed_classes(root: str | None) -> tuple[str, ...]:
    """Return the classes of a pack without a look at its images."""
    return tuple(read_meta(find_folder(root, LAYOUT), "train").classes)
