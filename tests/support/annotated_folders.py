"""Tiny stand-ins for VOC and COCO, drawn: coloured rectangles, in the layouts of the originals."""

import json

import numpy as np
from PIL import Image

from trainables.data.annotated.voc import CLASSES

COLOURS = {"aeroplane": (220, 40, 40), "bicycle": (40, 200, 60)}


def picture(path, size, boxes, seed):
    """Write noise with a coloured rectangle for each (class, left, top, right, bottom)."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 140, (size[1], size[0], 3), dtype=np.uint8)
    for name, left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = COLOURS.get(name, (30, 60, 230))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, quality=95)


def xml(names, difficult=()):
    objects = "".join(
        f"<object><name>{name}</name><difficult>{int(name in difficult)}</difficult></object>"
        for name in names
    )
    return f"<annotation>{objects}</annotation>"


def voc07_folder(root, images=12, size=(48, 40)):
    """Draw a VOC2007: a red rectangle is an aeroplane; every other class is in every other image.

    In the test images one of three of the classes is there but difficult once.
    """
    folder = root / "VOCdevkit" / "VOC2007"
    (folder / "ImageSets" / "Main").mkdir(parents=True)
    (folder / "Annotations").mkdir()
    number = 0
    for part in ("trainval", "test"):
        listed = []
        for row in range(images):
            number += 1
            is_red = row % 2 == 0
            others = [one for k, one in enumerate(CLASSES[1:]) if (row + k) % 3 == 0]
            names = [*(["aeroplane"] if is_red else []), *others]
            boxes = [("aeroplane", 8, 6, 40, 34)] if is_red else []
            stem = f"{number:06d}"
            picture(folder / "JPEGImages" / f"{stem}.jpg", size, boxes, number)
            hard = others[:1] if part == "test" and row == 0 else ()
            (folder / "Annotations" / f"{stem}.xml").write_text(xml(names, hard))
            listed.append(stem)
        (folder / "ImageSets" / "Main" / f"{part}.txt").write_text("\n".join(listed) + "\n")
    return root


def voc12_folder(root, images=4, size=(64, 48)):
    """Draw a VOC2012: a red rectangle is an aeroplane (1), a green one a bicycle (2)."""
    folder = root / "VOCdevkit" / "VOC2012"
    (folder / "ImageSets" / "Segmentation").mkdir(parents=True)
    (folder / "SegmentationClass").mkdir()
    for first, part in ((0, "train"), (images, "val")):
        listed = [f"2007_{first + row:06d}" for row in range(images)]
        for row, stem in enumerate(listed):
            name = list(COLOURS)[row % 2]
            left, top, right, bottom = 8 + row, 8, 40 + row, 40
            box = (name, left, top, right, bottom)
            picture(folder / "JPEGImages" / f"{stem}.jpg", size, [box], first + row)
            mask = np.zeros((size[1], size[0]), dtype=np.uint8)
            mask[top - 1 : bottom + 1, left - 1 : right + 1] = 255
            mask[top:bottom, left:right] = 1 + row % 2
            image = Image.fromarray(mask, mode="P")
            image.putpalette([value for k in range(256) for value in (k, k, k)])
            image.save(folder / "SegmentationClass" / f"{stem}.png")
        (folder / "ImageSets" / "Segmentation" / f"{part}.txt").write_text("\n".join(listed))
    return root


def coco_folder(root, images=4, size=(64, 64)):
    """Draw a COCO 2017: a red rectangle is a person (id 1) with keypoints, a green one a kite (38).

    One image has nothing in it, and one a crowd.
    """
    (root / "annotations").mkdir(parents=True)
    for offset, part in ((0, "train2017"), (100, "val2017")):
        listed, annotations = [], []
        for row in range(images):
            image_id = offset + row + 1
            name = f"{image_id:012d}.jpg"
            boxes = [("aeroplane", 6 + row, 8, 30 + row, 40), ("bicycle", 36, 20, 56, 60)]
            boxes = [] if row == images - 1 and images > 1 else boxes
            picture(root / part / name, size, boxes, image_id)
            listed.append({"id": image_id, "file_name": name, "height": size[1], "width": size[0]})
            for label, (_, left, top, right, bottom) in zip((1, 38), boxes, strict=False):
                annotations.append(
                    instance(len(annotations) + 1, image_id, label, left, top, right, bottom)
                )
        crowd = instance(999, offset + 1, 1, 0, 0, 64, 4) | {
            "iscrowd": 1,
            "segmentation": {"counts": [0, 4, size[0] * size[1] - 4], "size": [size[1], size[0]]},
        }
        write_coco(root, part, listed, [*annotations, crowd])
    return root


def instance(number, image_id, label, left, top, right, bottom):
    """Return an annotation; a person's keypoints stand on a diagonal, the last is not annotated."""
    width, height = right - left, bottom - top
    points = [
        value
        for k in range(16)
        for value in (left + (k + 1) * width / 18, top + (k + 1) * height / 18, 2)
    ]
    found = {
        "id": number,
        "image_id": image_id,
        "category_id": label,
        "bbox": [left, top, width, height],
        "area": width * height,
        "iscrowd": 0,
        "segmentation": [[left, top, right, top, right, bottom, left, bottom]],
    }
    if label == 1:
        found |= {"keypoints": [*points, 0, 0, 0], "num_keypoints": 16}
    return found


def write_coco(root, part, images, annotations):
    """Write both files of annotations of a part."""
    categories = [{"id": 38, "name": "kite"}, {"id": 1, "name": "person"}]
    persons = [one for one in annotations if one["category_id"] == 1]
    for stem, kinds, ones in (
        ("instances", categories, annotations),
        ("person_keypoints", categories[1:], persons),
    ):
        ones = [
            one if stem != "instances" else {k: v for k, v in one.items() if "keypoints" not in k}
            for one in ones
        ]
        path = root / "annotations" / f"{stem}_{part}.json"
        path.write_text(json.dumps({"images": images, "annotations": ones, "categories": kinds}))
