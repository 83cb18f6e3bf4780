"""A linear segmentation probe: how much of VOC 2012 one linear layer reads off a frozen encoder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import distributed
from trainables.batch import Batch
from trainables.data.annotated.images import AnnotatedImages, AnnotatedSplits
from trainables.data.annotated.voc import VOID, read_segments
from trainables.methods.base import Method
from trainables.modes import in_mode
from trainables.networks.encoder import Encoder
from trainables.progress import Progress
from trainables.protocols.base import Fitting, own_copy
from trainables.protocols.fitting import Fit, TrainedFitting
from trainables.ranges import refuse_not_whole
from trainables.trainer import Trainer


@dataclass(frozen=True, kw_only=True)
class SegmentationProbe:
    """Classify every position of the last feature map by one linear layer, after a batch norm.

    Ours, a cheap substitute for detection on COCO: no paper's table has it. The encoder is frozen
    and in eval mode, logits are enlarged to the image's size, and measured is the intersection
    over union of each class, over all test images together, and its mean.

    Parameters
    ----------
    fit : Fit
    image_size : int
        Height and width of what is cut out of a training image, enlarged or shortened by a factor
        from `scales` and mirrored half of the time. Test images stay as they are.
    scales : sequence of two float
        The least and the largest factor.
    branch : str, optional
        Which batch norm, where the encoder has several.
    """

    fit: Fit
    image_size: int = 448
    scales: Sequence[float] = (0.5, 2.0)
    branch: str | None = None

    def __post_init__(self) -> None:
        refuse_not_whole("protocol.image_size", self.image_size)
        if len(self.scales) != 2 or not 0 < self.scales[0] <= self.scales[1]:
            raise ValueError(
                f"protocol.scales must be two ascending numbers above 0, got {list(self.scales)}."
            )

    @property
    def task(self) -> str:
        """What must be annotated."""
        return "segments"

    def __call__(self, encoder: Encoder, splits: AnnotatedSplits, device: torch.device) -> Fitting:
        """Return a fitting that has not started."""
        frozen = own_copy(encoder, self.branch).requires_grad_(False).to(device)

        def build() -> tuple[Trainer, nn.Module]:
            segmenter = _Segmenter(frozen, len(splits.classes) + 1, splits.train.channels)
            rows = splits.train.rows(device)
            return self.fit.trainer(_Segmentation(segmenter, self, splits.train), rows), segmenter

        return TrainedFitting(self.fit.seed, build)

    @torch.no_grad()
    def scores(
        self, network: nn.Module, splits: AnnotatedSplits, device: torch.device
    ) -> dict[str, float]:
        """Return the mean intersection over union, and that of each class that is anywhere."""
        names = ("background", *splits.classes)
        counts = torch.zeros(len(names) ** 2, dtype=torch.int64, device=device)
        with in_mode(network, "eval"):
            for row in range(distributed.rank(), len(splits.test), distributed.world_size()):
                image = splits.test.image(row)
                truth = _segments(splits.test, row, image).to(device).flatten()
                found = network((image.to(device).float() / 255)[None])[0].argmax(dim=0).flatten()
                pairs = truth[truth != VOID] * len(names) + found[truth != VOID]
                counts += torch.bincount(pairs, minlength=len(counts))
        table = distributed.sum_over_ranks(counts).view(len(names), len(names)).double()
        both, either = table.diag(), table.sum(dim=0) + table.sum(dim=1) - table.diag()
        shares = {
            name: float(both[place] / either[place])
            for place, name in enumerate(names)
            if either[place]
        }
        mean = sum(shares.values()) / len(shares)
        return {"mIoU": mean} | {f"IoU/{name}": share for name, share in shares.items()}


class _Segmenter(nn.Module):
    """A frozen encoder, and a linear layer on its last feature map."""

    def __init__(self, encoder: Encoder, num_classes: int, channels: int) -> None:
        super().__init__()
        self.encoder = encoder
        blank = torch.zeros(1, channels, 64, 64, device=encoder.mean.device)
        with torch.no_grad():
            width = encoder.stages(encoder.normalise(blank))[-1].shape[1]
        self.norm = nn.BatchNorm2d(width)
        self.layer = nn.Conv2d(width, num_classes, 1)

    def train(self, mode: bool = True) -> "_Segmenter":
        """Train the layer; the encoder stays in eval mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, shape (N, Y, H, W)."""
        with torch.no_grad():
            maps = self.encoder.stages(self.encoder.normalise(images))[-1]
        logits: Tensor = self.layer(self.norm(maps))
        return F.interpolate(logits, size=images.shape[2:], mode="bilinear", align_corners=False)


class _Segmentation(Method):
    """Cross-entropy of every pixel that counts."""

    def __init__(
        self, segmenter: _Segmenter, settings: SegmentationProbe, train: AnnotatedImages
    ) -> None:
        super().__init__()
        self.segmenter = segmenter
        self.settings = settings
        self.images = train

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the cross-entropy on what is cut out of the batch's images."""
        rows, device = batch.indices.tolist(), batch.indices.device
        # Scale, left, top and mirror of each, in [0, 1).
        draws = distributed.draw_rows(lambda n: torch.rand(n, 4), len(rows))
        cut = [
            self._cut(row, image, draw.tolist())
            for row, image, draw in zip(rows, self.images.read(rows), draws, strict=True)
        ]
        images = torch.stack([image for image, _ in cut]).to(device)
        truth = torch.stack([segments for _, segments in cut]).to(device)
        logits = self.segmenter(images)
        total = F.cross_entropy(logits, truth, ignore_index=VOID, reduction="sum")
        counted = (truth != VOID).sum()
        # Ranks' gradients are averaged: each divides by what a rank has on average.
        loss = total / distributed.mean_over_ranks(counted.float()).clamp(min=1)
        right = ((logits.argmax(dim=1) == truth) & (truth != VOID)).sum()
        return {"loss": loss, "pixel_accuracy": right / counted.clamp(min=1)}

    def _cut(self, row: int, image: Tensor, draw: Sequence[float]) -> tuple[Tensor, Tensor]:
        size, (least, largest) = self.settings.image_size, self.settings.scales
        segments = _segments(self.images, row, image)[None, None].float()
        scale = least * (largest / least) ** draw[0]
        shape = [max(1, round(side * scale)) for side in image.shape[1:]]
        pixels = F.interpolate(
            image[None].float() / 255, size=shape, mode="bilinear", antialias=True
        ).clamp(0, 1)
        segments = F.interpolate(segments, size=shape, mode="nearest-exact")
        bottom, right = (max(0, size - side) for side in shape)
        pixels = F.pad(pixels, (0, right, 0, bottom), value=0.5)
        segments = F.pad(segments, (0, right, 0, bottom), value=VOID)
        top, left = (
            int(share * (side - size + 1))
            for share, side in zip(draw[1:3], pixels.shape[2:], strict=True)
        )
        window = (slice(top, top + size), slice(left, left + size))
        pixels, segments = pixels[0][:, *window], segments[0, 0][window].long()
        return (pixels.flip(-1), segments.flip(-1)) if draw[3] < 0.5 else (pixels, segments)


def _segments(images: AnnotatedImages, row: int, image: Tensor) -> Tensor:
    """Return the class of each pixel, shape (H, W), int64."""
    height, width = image.shape[1:]
    return read_segments(images.annotations[row], (height, width)).long()
