"""ImageNet and what is made of it: classes of one pack, under their own names or grouped."""

import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from trainables.data.image_set import Splits
from trainables.data.listing import find_folder
from trainables.data.lists import read_lines
from trainables.data.pack.layout import META, UNFINISHED
from trainables.data.packed import Groups, classes_of_pack

logger = logging.getLogger(__name__)

CLASSES, TINY_CLASSES = 1000, 200
SHOWN = 3
# Tian, Krishnan & Isola 2019, "Contrastive Multiview Coding", arXiv:1906.05849, by their code.
IMAGENET100 = Path(__file__).with_name("imagenet100.txt")
IMAGENET_LAYOUT = (
    "train/<class>/*.JPEG and val/<class>/*.JPEG, or val/*.JPEG beside the devkit's labels, with "
    "classes such as n01440764, or the published ILSVRC2012_*.tar"
)
TINY_LAYOUT = (
    "train/<class>/images/*.JPEG, val/images/*.JPEG and val/val_annotations.txt, as in "
    "tiny-imagenet-200.zip"
)


def imagenet(
    *, root: str | None, image_size: int, in_memory: bool = False, threads: int | None = None
) -> Splits:
    """Return ImageNet-1K of a pack: 1.28 million images of 1,000 classes [1]_.

    Parameters
    ----------
    root, image_size, in_memory, threads
        As in `packed`.

    References
    ----------
    .. [1] Russakovsky et al. 2015, "ImageNet Large Scale Visual Recognition Challenge",
       arXiv:1409.0575.
    """
    _refuse_no_pack(root, "ImageNet", IMAGENET_LAYOUT)
    return classes_of_pack(
        _all_of("ImageNet", CLASSES, root),
        root=root,
        image_size=image_size,
        in_memory=in_memory,
        threads=threads,
    )


def tiny_imagenet(
    *, root: str | None, image_size: int, in_memory: bool = False, threads: int | None = None
) -> Splits:
    """Return Tiny ImageNet of a pack: 110,000 images of 200 classes, 64 x 64 (Stanford CS231n).

    Its validation images are the test split; those of its test/ have no published label.

    Parameters
    ----------
    root, image_size, in_memory, threads
        As in `packed`.
    """
    _refuse_no_pack(root, "Tiny ImageNet", TINY_LAYOUT)
    return classes_of_pack(
        _all_of("Tiny ImageNet", TINY_CLASSES, root),
        root=root,
        image_size=image_size,
        in_memory=in_memory,
        threads=threads,
    )


def imagenet100(
    *,
    root: str | None,
    image_size: int,
    class_list: str | None = None,
    in_memory: bool = False,
    threads: int | None = None,
) -> Splits:
    """Return 100 classes of ImageNet's pack [1]_, or of a pack of them alone.

    Parameters
    ----------
    root, image_size, in_memory, threads
        As in `packed`.
    class_list : str, optional
        A file with other classes, one a line.

    References
    ----------
    .. [1] Tian, Krishnan & Isola 2019, arXiv:1906.05849.
    """
    _refuse_no_pack(root, "ImageNet", IMAGENET_LAYOUT)
    listed = listed_classes(class_list)

    def choose(known: Sequence[str]) -> Groups:
        missing = sorted(set(listed) - set(known))
        if missing:
            whose = f"data.class_list={class_list}" if class_list else "ImageNet-100's list"
            shown = ", ".join(map(repr, missing[:SHOWN]))
            raise ValueError(
                f"{whose} names {len(missing):,} of {len(listed):,} classes that are not in "
                f"data.root={root}, such as {shown} (it has {len(known):,}, such as {known[0]!r}); "
                f"give the pack of ImageNet, or a data.class_list of the pack's own classes."
            )
        return {name: [name] for name in listed}

    return classes_of_pack(
        choose, root=root, image_size=image_size, in_memory=in_memory, threads=threads
    )


def restricted_imagenet(
    *,
    root: str | None,
    image_size: int,
    ranges: Mapping[str, Sequence[int]],
    in_memory: bool = False,
    threads: int | None = None,
) -> Splits:
    """Return nine groups of ImageNet's classes, of its pack [1]_.

    Parameters
    ----------
    root, image_size, in_memory, threads
        As in `packed`.
    ranges : mapping of str to (int, int)
        First and last of each group's classes, counted from 0 in the order of their names.

    References
    ----------
    .. [1] Tsipras et al. 2019, "Robustness May Be at Odds with Accuracy", arXiv:1805.12152.
    """
    _refuse_no_pack(root, "ImageNet", IMAGENET_LAYOUT)
    _refuse_ranges(ranges)

    def choose(known: Sequence[str]) -> Groups:
        if len(known) != CLASSES:
            raise ValueError(
                f"data.ranges counts ImageNet's {CLASSES:,} classes, and data.root={root} has "
                f"{len(known):,}; give the pack of the whole of ImageNet."
            )
        return {name: known[first : last + 1] for name, (first, last) in ranges.items()}

    return classes_of_pack(
        choose, root=root, image_size=image_size, in_memory=in_memory, threads=threads
    )


def listed_classes(class_list: str | None) -> tuple[str, ...]:
    """Return ImageNet-100's classes, or those of a file, in the order of their names.

    Raises
    ------
    ValueError
        If there is no such file, or it lists fewer than two, or one twice.
    """
    path = str(IMAGENET100) if class_list is None else class_list
    names = read_lines(path, "data.class_list", "one class a line, such as n01558993")
    if len(names) < 2:
        raise ValueError(f"data.class_list={path} lists one class; list at least two, one a line.")
    return tuple(sorted(names))


def _all_of(title: str, number: int, root: str | None) -> Callable[[Sequence[str]], Groups]:
    def choose(known: Sequence[str]) -> Groups:
        if len(known) != number:
            _warn(f"data.root={root} has {len(known):,} classes and {title} has {number:,}.")
        return {name: [name] for name in known}

    return choose


@functools.cache  # once in a process
def _warn(sentence: str) -> None:
    logger.warning(sentence)


def _refuse_no_pack(root: str | None, title: str, layout: str) -> None:
    """Say what is packed how, where there is no pack."""
    try:
        folder = find_folder(root, layout)
    except ValueError:
        folder = None
    if folder and any((folder / name).exists() for name in (UNFINISHED, f"train/{META}")):
        return
    what = " is not set" if root is None else f"={root} is no pack"
    raise ValueError(
        f"data.root{what}; pack {title} once with 'raystudy pack FOLDER OUT', where FOLDER has "
        f"{layout}, and set data.root=OUT."
    )


def _refuse_ranges(ranges: Mapping[str, Sequence[int]]) -> None:
    end = -1
    for name, bounds in sorted(ranges.items(), key=lambda item: list(item[1])):
        if len(bounds) != 2 or not end < bounds[0] <= bounds[1] < CLASSES:
            raise ValueError(
                f"data.ranges.{name} must be the first and the last of {CLASSES:,} classes counted "
                f"from 0, in no other range, got {list(bounds)}."
            )
        end = bounds[1]
