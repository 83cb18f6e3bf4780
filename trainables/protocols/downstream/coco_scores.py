"""Average precisions as COCO defines them, by faster-coco-eval."""

from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainables import distributed
from trainables.data.annotated.coco import Scene, category_ids
from trainables.data.annotated.images import AnnotatedSplits
from trainables.modes import in_mode

KINDS = {"instances": ("bbox", "segm"), "keypoints": ("bbox", "keypoints")}
NAMES = ("AP", "AP50", "AP75")  # over IoU 0.5 to 0.95, at 0.5 and at 0.75
Finding = dict[str, Any]  # as COCO's servers take it


def library() -> ModuleType:
    """Return faster-coco-eval.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    try:
        import faster_coco_eval as found
    except ImportError:
        raise ValueError(
            "detection on COCO needs the library faster-coco-eval, which is not installed; "
            "install it with: pip install 'raystudy[detection]'"
        ) from None
    module: ModuleType = found
    return module


@torch.no_grad()
def scores(
    network: nn.Module, task: str, splits: AnnotatedSplits, device: torch.device
) -> dict[str, float]:
    """Return the average precisions of what a detector finds in the test images.

    Parameters
    ----------
    network : nn.Module
        Of torchvision's.
    task : {"instances", "keypoints"}
    splits : AnnotatedSplits
    device : torch.device
    """
    assert splits.truth is not None
    ids, test = category_ids(splits.truth), splits.test
    findings: list[Finding] = []
    with in_mode(network, "eval"):
        for row in range(distributed.rank(), len(test), distributed.world_size()):
            (found,) = network([test.image(row).to(device).float() / 255])
            findings += _findings(found, test.annotations[row], ids)
    everyone = distributed.gather_objects(findings)
    truth = library().COCO(str(splits.truth))
    reached = {}
    for kind in KINDS[task]:
        evaluation = library().COCOeval_faster(
            truth, truth.loadRes(_of_kind(everyone, kind)), kind, print_function=_silent
        )
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        for name, value in zip(NAMES, evaluation.stats, strict=False):
            reached[f"{kind}/{name}"] = float(value)
    return reached


def _silent(*_: object) -> None:
    """Print nothing: the record has it all."""


def _findings(found: dict[str, Tensor], scene: Scene, ids: list[int]) -> list[Finding]:
    """Return what was found in an image, as plain values."""
    boxes = found["boxes"].cpu()
    corners = torch.cat([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], dim=1).tolist()
    findings: list[Finding] = [
        {"image_id": scene.image_id, "category_id": ids[label - 1], "bbox": box, "score": score}
        for label, box, score in zip(
            found["labels"].tolist(), corners, found["scores"].tolist(), strict=True
        )
    ]
    for place, finding in enumerate(findings):
        if "masks" in found:
            mask = (found["masks"][place, 0] > 0.5).cpu().numpy().astype(np.uint8)
            finding["segmentation"] = library().mask.encode(np.asfortranarray(mask))
        if "keypoints" in found:
            finding["keypoints"] = found["keypoints"][place].flatten().tolist()
    return findings


def _of_kind(findings: list[Finding], kind: str) -> list[Finding]:
    """Return what a score is of; the library tells by what there is, and adds to it."""
    left_out = {"bbox": {"segmentation", "keypoints"}, "segm": {"bbox"}, "keypoints": {"bbox"}}
    return [
        {name: value for name, value in one.items() if name not in left_out[kind]}
        for one in findings
    ]
