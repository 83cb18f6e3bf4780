"""torchvision's detection models with an encoder in the body of their feature pyramid."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torchvision.models.detection import KeypointRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from trainables.data.annotated.coco import KEYPOINTS
from trainables.networks.encoder import Encoder
from trainables.ranges import refuse_below_one

ANCHORS = (32, 64, 128, 256, 512)  # pixels, one on each level
RATIOS = (0.5, 1.0, 2.0)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large images are for a detector, and how much it looks at.

    Parameters
    ----------
    shorter : sequence of int
        Of the shorter side, ascending; each training image gets one of them, and each test image
        the largest.
    longer : int
        Of the longer side at most.
    width : int
        Channels of the pyramid.
    regions : int
        That the heads are trained on in each image.
    detections : int
        Kept of each test image.
    """

    shorter: Sequence[int]
    longer: int
    width: int = 256
    regions: int = 512
    detections: int = 100

    def __post_init__(self) -> None:
        sides = list(self.shorter)
        if not sides or sides != sorted(sides) or sides[0] < 1 or self.longer < sides[-1]:
            raise ValueError(
                f"protocol.sizes needs ascending sides from 1 to `longer`, got shorter={sides} and "
                f"longer={self.longer}."
            )
        counts = {"width": self.width, "regions": self.regions, "detections": self.detections}
        refuse_below_one("protocol.sizes", **counts)


class Pyramid(nn.Module):
    """An encoder's stages and a feature pyramid on them, with batch norm.

    Parameters
    ----------
    encoder : Encoder
    channels : int
        Of the images.
    out_channels : int
    """

    def __init__(self, encoder: Encoder, channels: int, out_channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        blank = torch.zeros(1, channels, 64, 64, device=encoder.mean.device)
        with torch.no_grad():
            widths = [one.shape[1] for one in encoder.stages(blank)]
        self.levels = len(widths)
        self.out_channels = out_channels
        self.fpn = FeaturePyramidNetwork(
            widths, out_channels, extra_blocks=LastLevelMaxPool(), norm_layer=nn.BatchNorm2d
        )

    def forward(self, standardised: Tensor) -> dict[str, Tensor]:
        """Return a map for each level, and one more that is coarser."""
        maps = self.encoder.stages(standardised)
        found: dict[str, Tensor] = self.fpn(
            OrderedDict((str(k), one) for k, one in enumerate(maps))
        )
        return found


def build_detector(
    encoder: Encoder, *, task: str, num_classes: int, channels: int, sizes: Sizes
) -> nn.Module:
    """Return Mask R-CNN for instances, Keypoint R-CNN for keypoints.

    Parameters
    ----------
    encoder : Encoder
        In eval mode; becomes part of the detector. Its mean and deviation standardise images.
    task : {"instances", "keypoints"}
    num_classes : int
        Without the background.
    channels : int
        Of the images.
    sizes : Sizes
    """
    pyramid = Pyramid(encoder, channels, sizes.width)
    levels = [str(level) for level in range(pyramid.levels)]

    def pooler(side: int) -> nn.Module:
        pool: nn.Module = MultiScaleRoIAlign(levels, output_size=side, sampling_ratio=2)
        return pool

    shared = {
        "num_classes": num_classes + 1,
        "min_size": tuple(sizes.shorter),
        "max_size": sizes.longer,
        "image_mean": encoder.mean.flatten().tolist(),
        "image_std": encoder.std.flatten().tolist(),
        "rpn_anchor_generator": AnchorGenerator(
            tuple((side,) for side in ANCHORS[: pyramid.levels + 1]), (RATIOS,) * (len(levels) + 1)
        ),
        "box_roi_pool": pooler(7),
        "box_batch_size_per_image": sizes.regions,
        "box_detections_per_img": sizes.detections,
    }
    if task == "instances":
        mask: nn.Module = MaskRCNN(pyramid, mask_roi_pool=pooler(14), **shared)
        return mask
    persons: nn.Module = KeypointRCNN(
        pyramid, keypoint_roi_pool=pooler(14), num_keypoints=KEYPOINTS, **shared
    )
    # torchvision's loss takes a view of them that channels-last maps do not have.
    predictor = persons.get_submodule("roi_heads.keypoint_predictor")
    predictor.register_forward_hook(_contiguous)
    return persons


def _contiguous(_module: nn.Module, _given: tuple[Tensor, ...], maps: Tensor) -> Tensor:
    return maps.contiguous()
