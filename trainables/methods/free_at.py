"""Free adversarial training: one backward pass moves the weights and the perturbation."""

from typing import Any

import torch
from torch import Tensor, nn

from trainables import distributed
from trainables.attacks.climbs import Climb
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Augmentation
from trainables.batch import Batch
from trainables.losses.classification import loss_and_accuracy
from trainables.methods.base import Method
from trainables.networks.encoder import Encoder
from trainables.progress import Progress


class FreeAT(Method):
    """Train on each batch several times in a row while its perturbation grows [1]_.

    A batch's gradient serves the weights and the perturbation at once, so that adversarial
    training costs what plain training of as many updates costs. The perturbation is carried over
    to the next batch, row by row. How often a batch is replayed is a setting of
    `ReplayedBatches`; its views are drawn once.

    Parameters
    ----------
    encoder : Encoder
    num_classes : int
    augment : Augmentation
    attack : PGD
        Ball, step, and what the first batch starts from; its one step is a replay's. Always in
        train mode: it is the update's own pass.

    References
    ----------
    .. [1] Shafahi et al. 2019, arXiv:1904.12843, Algorithm 1.
    """

    trains_every_parameter = True

    def __init__(
        self, *, encoder: Encoder, num_classes: int, augment: Augmentation, attack: PGD
    ) -> None:
        super().__init__()
        if attack.steps != 1:
            raise ValueError(f"free_at makes a step a replay: attack.steps=1, got {attack.steps}.")
        self.encoder = encoder
        self.head = nn.Linear(encoder.num_features, num_classes)
        self.augment = augment
        self.attack = attack
        self._carried = torch.empty(0)  # of every rank's rows
        self._copies = torch.empty(0)  # of this rank's images, perturbed, with their gradient
        self._images = torch.empty(0)
        self._climb: Climb | None = None
        self._indices: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Return class logits, shape (N, Y)."""
        logits: Tensor = self.head(self.encoder(images))
        return logits

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return cross-entropy of the batch as it is perturbed so far."""
        if batch.indices is not self._indices:
            self._begin(batch)
        self._copies = self._copies.detach().requires_grad_()
        loss, accuracy = loss_and_accuracy(self(self._copies), batch.labels)
        return {"loss": loss, "adversarial_accuracy": accuracy}

    def after_update(self, progress: Progress) -> None:
        """Move the perturbation by the gradient at the weights before the update."""
        gradient = self._copies.grad
        assert self._climb is not None
        assert gradient is not None
        self._copies = self._climb.step(self._copies.detach(), gradient, self.attack.step_size)
        # A checkpoint is written by one rank.
        self._carried = distributed.gather(self._copies - self._images)

    @torch.no_grad()
    def _begin(self, batch: Batch) -> None:
        """Take up a new batch with the perturbation of the one before."""
        self._indices, self._images = batch.indices, self.augment(batch.labelled)
        rows, ball = len(self._images), self.attack.ball
        if len(self._carried) == 0:
            delta = ball.sample(self._images, self.attack.start)
        else:
            delta = self._carried[distributed.rank() * rows :][:rows]
        self._climb = ball.climb(self._images)
        # The code leaves pixels beyond their range until the first step.
        self._copies = self._climb.start(delta)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the perturbation, whose size only the batches know."""
        return {"delta": self._carried.cpu()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the perturbation back, to where it is used."""
        self._carried = state["delta"].to(self.head.weight.device)
