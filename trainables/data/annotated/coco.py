"""COCO 2017: instances of 80 classes, and the keypoints of persons."""

import functools
import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.data.annotated.images import (
    AnnotatedData,
    AnnotatedImages,
    AnnotatedSplits,
    fingerprint,
    refuse_missing,
)
from trainables.data.listing import find_folder

KEYPOINTS = 17  # of a person
SHORTEST = 0.01  # pixels; a thinner box has no area in float32
FARTHEST = 1e5  # pixels; faster-coco-eval takes minutes to draw a polygon that leaves far
FILES = {"instances": "instances", "keypoints": "person_keypoints"}
ARCHIVES = "train2017.zip, val2017.zip and annotations_trainval2017.zip"
ADVICE = f"unpack {ARCHIVES} anew in one folder, which data.root names"


@dataclass(frozen=True, slots=True)
class Instance:
    """An object in an image.

    Parameters
    ----------
    label : int
        Class, counted from 1.
    box : tuple of four float
        Left, top, right and bottom in pixels.
    segments : list or dict
        Polygons, or runs of pixels; as COCO has them.
    keypoints : tuple of float
        x, y and visibility (0 not annotated, 1 hidden, 2 seen) of each.
    """

    label: int
    box: tuple[float, float, float, float]
    segments: Any
    keypoints: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Scene:
    """What is annotated in an image.

    Parameters
    ----------
    image_id : int
    height, width : int
    instances : tuple of Instance
        Crowds are left out.
    """

    image_id: int
    height: int
    width: int
    instances: tuple[Instance, ...]


def coco(*, root: str | None, channels: int = 3) -> AnnotatedData:
    """Return 118,287 images for the fitting and 5,000 to measure on [1]_.

    Of each image a `Scene`. Images without an instance are none to fit to; of keypoints, an
    instance needs one that is annotated.

    Parameters
    ----------
    root : str
        Folder that holds ``train2017``, ``val2017`` and ``annotations``.
    channels : {1, 3}
        As the encoder sees images.

    References
    ----------
    .. [1] Lin et al. 2014, arXiv:1405.0312.
    """
    tasks = {task: functools.partial(_splits, root, channels, task) for task in FILES}
    return AnnotatedData("coco", tasks)


def _splits(root: str | None, channels: int, task: str) -> AnnotatedSplits:
    folder = find_folder(root, f"train2017/, val2017/ and annotations/ ({ARCHIVES}, unpacked)")
    known = [_File.read(folder, part, task) for part in ("train2017", "val2017")]
    if known[0].classes != known[1].classes:
        raise ValueError(f"data.root={root}: train2017 and val2017 have other classes; {ADVICE}.")
    train, test = (file.part(channels, is_train=file is known[0]) for file in known)
    mark = fingerprint([*train.files, *test.files], "".join(file.digest for file in known))
    return AnnotatedSplits(train, test, known[0].classes, mark, truth=known[1].path)


@dataclass(frozen=True, kw_only=True)
class _File:
    """What a file of annotations says of a folder of images."""

    path: Path
    digest: str
    classes: tuple[str, ...]
    images: list[Path]
    scenes: list[Scene]

    def part(self, channels: int, *, is_train: bool) -> AnnotatedImages:
        """Return all images, or those that have something to fit to."""
        pairs = zip(self.images, self.scenes, strict=True)
        kept = [pair for pair in pairs if pair[1].instances or not is_train]
        return AnnotatedImages([one for one, _ in kept], [scene for _, scene in kept], channels)

    @classmethod
    def read(cls, folder: Path, part: str, task: str) -> "_File":
        path = folder / "annotations" / f"{FILES[task]}_{part}.json"
        if not (folder / part).is_dir() or not path.is_file():
            raise ValueError(
                f"data.root={folder} does not hold {part}/ and annotations/{path.name}; {ADVICE}."
            )
        try:
            content = path.read_bytes()
            described = json.loads(content)
            categories = sorted(described["categories"], key=lambda one: int(one["id"]))
            names = [str(one["file_name"]) for one in described["images"]]
            scenes = list(_scenes(described, categories, task))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise ValueError(f"{path} does not annotate {task}: {reason}; {ADVICE}.") from None
        files = [folder / part / name for name in names]
        refuse_missing(files, path.name)
        if not any(scene.instances for scene in scenes):
            raise ValueError(f"{path} annotates nothing in any image; {ADVICE}.")
        return cls(
            path=path,
            digest=hashlib.sha256(content).hexdigest(),
            classes=tuple(str(one["name"]) for one in categories),
            images=files,
            scenes=scenes,
        )


def _scenes(described: Mapping[str, Any], categories: list[Any], task: str) -> Iterator[Scene]:
    """Yield what is annotated in each image, in the order they are listed."""
    labels = {int(one["id"]): label for label, one in enumerate(categories, start=1)}
    found: dict[int, list[Instance]] = {int(one["id"]): [] for one in described["images"]}
    sizes = {one["id"]: [int(one["height"]), int(one["width"])] for one in described["images"]}
    if len(found) < len(described["images"]):
        raise ValueError("two images have the same id")
    for one in described["annotations"]:
        name = f"annotation {one.get('id')}"
        if one["image_id"] not in found:
            raise ValueError(f"{name} is of image {one['image_id']}, which is not listed")
        if one["category_id"] not in labels:
            raise ValueError(f"{name} is of category {one['category_id']}, which is not listed")
        instance = _instance(one, labels[one["category_id"]], name)
        runs, size = one["segmentation"], sizes[one["image_id"]]
        if isinstance(runs, dict) and runs["size"] != size:
            raise ValueError(f"{name} has runs of {runs['size']}, its image is of {size}")
        if _counts(one, instance, task):
            found[one["image_id"]].append(instance)
    for one in described["images"]:
        height, width = sizes[one["id"]]
        yield Scene(one["id"], height, width, tuple(found[one["id"]]))


def _counts(one: Mapping[str, Any], instance: Instance, task: str) -> bool:
    """Return whether an instance can be learned."""
    left, top, right, bottom = instance.box
    if one.get("iscrowd", 0) or right - left < SHORTEST or bottom - top < SHORTEST:
        return False
    return any(instance.keypoints[2::3]) if task == "keypoints" else bool(instance.segments)


def _instance(one: Mapping[str, Any], label: int, name: str) -> Instance:
    box = [float(number) for number in one["bbox"]]
    if len(box) != 4 or not all(map(_is_near, box)):
        raise ValueError(f"{name} has the box {one['bbox']}, not left, top, width and height")
    keypoints = tuple(float(number) for number in one.get("keypoints", ()))
    if len(keypoints) not in (0, 3 * KEYPOINTS) or not all(map(_is_near, keypoints)):
        raise ValueError(f"{name} has {len(keypoints)} numbers of keypoints, not {3 * KEYPOINTS}")
    left, top, width, height = box
    corners = (left, top, left + width, top + height)
    return Instance(label, corners, _segments(one["segmentation"], name), keypoints)


def _segments(given: Any, name: str) -> Any:
    """Return runs as they are, or the polygons of three points and more."""
    if isinstance(given, dict) and {"counts", "size"} <= set(given):
        return given
    if not isinstance(given, list) or not all(isinstance(polygon, list) for polygon in given):
        raise ValueError(f"{name} has a segmentation that is neither polygons nor runs")
    whole = [[float(number) for number in polygon] for polygon in given]
    if not all(_is_near(number) for polygon in whole for number in polygon):
        raise ValueError(f"{name} has a polygon with a point that is no place near an image")
    return [polygon for polygon in whole if len(polygon) >= 6 and len(polygon) % 2 == 0]


def _is_near(number: float) -> bool:
    return math.isfinite(number) and abs(number) < FARTHEST


def category_ids(file: Path) -> list[int]:
    """Return what COCO calls each class, in the order of the labels, which count from 1."""
    return sorted(int(one["id"]) for one in json.loads(file.read_bytes())["categories"])
