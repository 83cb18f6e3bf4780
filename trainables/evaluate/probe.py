"""Evaluation of frozen features: neighbours, a linear layer, and that layer under attack."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables import distributed
from trainables.attacks.pgd import PGD
from trainables.data.image_set import ImageSet, Splits
from trainables.evaluate.knn import knn_logits
from trainables.evaluate.linear import fit_linear
from trainables.features import encode
from trainables.methods.base import Method
from trainables.modes import in_mode, isolated_rng
from trainables.networks.encoder import Encoder
from trainables.networks.folding import folded
from trainables.precision import exact
from trainables.ranges import refuse_below_one, refuse_below_zero, refuse_not_above_zero


@dataclass(frozen=True, kw_only=True)
class FrozenProbe:
    """Measure the encoder on validation images by three probes that share its features.

    ``val/knn_accuracy`` is weighted nearest neighbours, ``val/accuracy`` a linear classifier
    fitted to the clean training features, ``val/robust_accuracy`` that classifier, through the
    encoder, under a white-box attack on its cross-entropy. A quick stand-in for the papers' linear
    evaluation: good for comparing trials, not for comparing with their tables.

    Parameters
    ----------
    neighbours : int
    temperature : float
        Of the neighbours' votes, in units of cosine similarity.
    penalty : float
        Weight decay of the linear classifier.
    attack : PGD
        The same for every trial, whatever a trial trains against.
    max_images : int, optional
        Attack the first so many validation images only, the same for every trial.
    batch_size : int
        Images attacked at once on each rank.
    seed : int
        Of the attack's start.
    """

    measures: ClassVar[tuple[str, ...]] = (
        "val/knn_accuracy",
        "val/accuracy",
        "val/robust_accuracy",
    )

    neighbours: int
    temperature: float
    penalty: float
    attack: PGD
    max_images: int | None = None
    batch_size: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        counts = {name: getattr(self, name) for name in ("neighbours", "max_images", "batch_size")}
        refuse_below_one("evaluate.probe", **counts)
        refuse_not_above_zero("evaluate.probe", temperature=self.temperature)
        refuse_below_zero("evaluate.probe", penalty=self.penalty)

    def images(self, splits: Splits) -> dict[str, int]:
        """Return how many images each accuracy is a share of."""
        attacked = splits.val.rows(slice(self.max_images))
        return {
            "val/knn_accuracy": len(splits.val),
            "val/accuracy": len(splits.val),
            "val/robust_accuracy": len(attacked),
        }

    def __call__(self, method: Method, splits: Splits) -> dict[str, float]:
        """Return the three accuracies."""
        encoder, train, val = method.encoder, splits.train.labelled, splits.val
        with isolated_rng(self.seed), in_mode(encoder, "eval"), torch.no_grad():
            known = encode(encoder, train)
            with exact(known.device):
                features = encode(encoder, val)
                votes = knn_logits(
                    features,
                    known,
                    train.labels,
                    num_classes=splits.num_classes,
                    neighbours=self.neighbours,
                    temperature=self.temperature,
                )
                head = fit_linear(
                    known,
                    train.labels,
                    num_classes=splits.num_classes,
                    penalty=self.penalty,
                )
                right = {
                    "val/knn_accuracy": _accuracy(votes, val.labels),
                    "val/accuracy": _accuracy(head(features), val.labels),
                }
            attacked = val.rows(slice(self.max_images))
            with folded(encoder):
                return {
                    **right,
                    "val/robust_accuracy": self._robust_accuracy(encoder, head, attacked),
                }

    def _robust_accuracy(self, encoder: Encoder, head: nn.Linear, val: ImageSet) -> float:
        device, ranks = val.images.device, distributed.world_size()
        correct = torch.zeros((), device=device)
        mine = torch.arange(distributed.rank(), len(val), ranks, device=device)
        chunks = torch.split(mine, self.batch_size)
        for rows, images in zip(chunks, val.in_turn(chunks), strict=True):
            labels = val.labels[rows]

            def misfit(perturbed: Tensor, labels: Tensor = labels) -> Tensor:
                return F.cross_entropy(head(encoder(perturbed)), labels, reduction="none")

            adversarial = self.attack(misfit, images)
            with exact(device):
                correct += (head(encoder(adversarial)).argmax(dim=1) == labels).sum()
        return distributed.sum_over_ranks(correct).item() / len(val)


def _accuracy(logits: Tensor, labels: Tensor) -> float:
    return (logits.argmax(dim=1) == labels).float().mean().item()
