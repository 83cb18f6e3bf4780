"""Detection on COCO: Mask R-CNN and Keypoint R-CNN, fine-tuned from an encoder."""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn

from trainables import distributed
from trainables.batch import Batch
from trainables.data.annotated.images import AnnotatedImages, AnnotatedSplits
from trainables.methods.base import Method
from trainables.modes import isolated_rng
from trainables.networks.encoder import Encoder
from trainables.progress import Progress
from trainables.protocols.base import Fitting, own_copy
from trainables.protocols.downstream import coco_scores
from trainables.protocols.downstream.coco_targets import targets_of
from trainables.protocols.downstream.detector import Sizes, build_detector
from trainables.protocols.fitting import Fit, TrainedFitting
from trainables.trainer import Trainer

SCHEDULES = {"1x": 1, "2x": 2}
SEEDS = 2**32  # that numpy takes
STRIDE = 1_000_003  # between the random streams of two seeds: more than there are steps and ranks


@dataclass(frozen=True, kw_only=True)
class Detection:
    """Fine-tune all of a detector whose pyramid stands on the encoder; score it as COCO does [1]_.

    Departures from the papers, which use detectron2 [2]_: the models are torchvision's. Their box
    head has two linear layers instead of four convolutions and one linear layer, and neither it
    nor the mask head has batch norm; the encoder and the pyramid do, over all ranks. Regions are
    pooled without the half-pixel shift, from two samples a bin instead of as many as fit. Training
    lasts whole epochs (12 for 90,000 updates of 16 images, which are 12.3), images of like shapes
    are not grouped, and the warm-up of the 2x schedule is twice as long. The statistics of the
    batch norms are the running ones, not computed anew in the end. Absolute figures are therefore
    not promised; encoders measured alike can be compared.

    Parameters
    ----------
    fit : Fit
        Of the 1x schedule.
    task : {"instances", "keypoints"}
        What must be annotated, and thereby the model.
    schedule : {"1x", "2x"}
        ``2x`` trains twice as long; the rate falls at the same shares of training.
    sizes : Sizes
    branch : str, optional
        Which batch norm, where the encoder has several.

    References
    ----------
    .. [1] He et al. 2017, arXiv:1703.06870; Lin et al. 2017, arXiv:1612.03144.
    .. [2] Wu et al. 2019, "Detectron2".
    """

    fit: Fit
    task: Literal["instances", "keypoints"]
    sizes: Sizes
    schedule: Literal["1x", "2x"] = "1x"
    branch: str | None = None

    def __post_init__(self) -> None:
        if self.task not in ("instances", "keypoints"):
            raise ValueError(f"protocol.task must be instances or keypoints, got '{self.task}'.")
        if self.schedule not in SCHEDULES:
            raise ValueError(f"protocol.schedule must be 1x or 2x, got '{self.schedule}'.")

    def __call__(self, encoder: Encoder, splits: AnnotatedSplits, device: torch.device) -> Fitting:
        """Return a fitting that has not started.

        Raises
        ------
        ValueError
            If what scores it is not installed.
        """
        coco_scores.library()  # what is missing shall not show after a day
        epochs = self.fit.max_epochs * SCHEDULES[self.schedule]
        fit = replace(self.fit, max_epochs=epochs)
        twin = own_copy(encoder, self.branch)

        def build() -> tuple[Trainer, nn.Module]:
            detector = build_detector(
                twin,
                task=self.task,
                num_classes=len(splits.classes),
                channels=splits.train.channels,
                sizes=self.sizes,
            )
            method = _Detecting(detector, self.task, splits.train, fit.seed)
            return fit.trainer(method, splits.train.rows(device)), detector

        return TrainedFitting(fit.seed, build)

    def scores(
        self, network: nn.Module, splits: AnnotatedSplits, device: torch.device
    ) -> dict[str, float]:
        """Return COCO's average precisions of boxes, and of masks or keypoints."""
        return coco_scores.scores(network, self.task, splits, device)


class _Detecting(Method):
    """The sum of a detector's losses."""

    def __init__(self, detector: nn.Module, task: str, train: AnnotatedImages, seed: int) -> None:
        super().__init__()
        self.detector = detector
        self.task = task
        self.images = train
        self.seed = seed

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the losses on the batch's images, half of them mirrored.

        Sizes and samples are drawn by the model, how many depends on what it finds: each step of
        each rank has a stream of its own, and the ranks' common one stays in step.
        """
        rows, device = batch.indices.tolist(), batch.indices.device
        step = progress.step * distributed.world_size() + distributed.rank()
        with isolated_rng((self.seed * STRIDE + step) % SEEDS):
            mirrored = (torch.rand(len(rows)) < 0.5).tolist()
            images, targets = [], []
            for row, image, mirror in zip(rows, self.images.read(rows), mirrored, strict=True):
                scene = self.images.annotations[row]
                found = targets_of(scene, self.task, image, self.images.files[row], mirror=mirror)
                targets.append({name: value.to(device) for name, value in found.items()})
                images.append((image.flip(-1) if mirror else image).to(device).float() / 255)
            losses: dict[str, Tensor] = self.detector(images, targets)
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}
