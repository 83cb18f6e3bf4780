"""What a detector is to find in an image."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.data.annotated.coco import KEYPOINTS, Instance, Scene
from trainables.protocols.downstream.coco_scores import library

# Left and right eye, ear, shoulder, elbow, wrist, hip, knee and ankle change places.
MIRRORED = [0, *(place for left in range(1, KEYPOINTS, 2) for place in (left + 1, left))]


def targets_of(
    scene: Scene, task: str, image: Tensor, file: Path, *, mirror: bool
) -> dict[str, Tensor]:
    """Return boxes, labels and masks or keypoints, as torchvision's models take them.

    Parameters
    ----------
    scene : Scene
    task : {"instances", "keypoints"}
    image : Tensor, shape (C, H, W)
        As it is in the file.
    file : Path
    mirror : bool
        Whether the image will be mirrored.

    Raises
    ------
    ValueError
        That names the file, if it is of another size than its annotations.
    """
    size = (scene.height, scene.width)
    if tuple(image.shape[1:]) != size:
        raise ValueError(
            f"{file} is {image.shape[2]}x{image.shape[1]} pixels, its annotations are of "
            f"{scene.width}x{scene.height}."
        )
    boxes = torch.tensor([one.box for one in scene.instances])
    targets = {
        "boxes": _mirrored_boxes(boxes, scene.width) if mirror else boxes,
        "labels": torch.tensor([one.label for one in scene.instances]),
    }
    if task == "instances":
        masks = torch.stack([_mask(one, size, file) for one in scene.instances])
        return targets | {"masks": masks.flip(-1) if mirror else masks}
    points = torch.tensor([one.keypoints for one in scene.instances]).view(-1, KEYPOINTS, 3)
    return targets | {"keypoints": _mirrored_points(points, scene.width) if mirror else points}


def _mirrored_boxes(boxes: Tensor, width: int) -> Tensor:
    left, top, right, bottom = boxes.unbind(dim=1)
    return torch.stack([width - right, top, width - left, bottom], dim=1)


def _mirrored_points(points: Tensor, width: int) -> Tensor:
    x, y, visibility = points[:, MIRRORED].unbind(dim=2)
    # What is not annotated is at 0, 0.
    return torch.stack([torch.where(visibility > 0, width - x, x), y, visibility], dim=2)


def _mask(instance: Instance, size: tuple[int, int], file: Path) -> Tensor:
    """Return which pixels an instance has, shape (H, W), uint8."""
    mask = library().mask
    try:
        runs = mask.segmToRle(instance.segments, size[1], size[0])
        found = np.asarray(mask.decode(runs))
    except Exception as error:  # a library in C++ raises whatever it likes
        reason = " ".join(str(error).split())
        raise ValueError(f"a mask of {file} cannot be read ({reason}).") from None
    if found.shape != size:
        raise ValueError(f"a mask of {file} has {found.shape} pixels, the image has {size}.")
    return torch.from_numpy(np.ascontiguousarray(found))
