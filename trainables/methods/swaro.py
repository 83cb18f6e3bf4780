"""SwARo: contrastive learning with an adversary that permutes cluster assignments."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.attacks.clusters import ClusterAttack
from trainables.attacks.instance import instance_wise
from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.clustering import kmeans
from trainables.data.image_set import ImageSet
from trainables.features import encode
from trainables.losses.nt_xent import nt_xent_over_ranks
from trainables.losses.rocl import rocl
from trainables.methods.base import Method
from trainables.modes import Mode
from trainables.networks.encoder import Encoder
from trainables.networks.folding import under_attack
from trainables.networks.heads import mlp
from trainables.progress import Progress
from trainables.ranges import refuse_below_zero, refuse_not_above_zero


class SwARo(Method):
    r"""Attack a view towards, or away from, another image's, by their pseudo-labels [1]_.

    With probability p a batch's targets are permuted, :math:`t_{2,\sigma(i)}`; an image moves away
    from its target (:math:`\beta_i = +1`) if both are in one cluster, towards it
    (:math:`\beta_i = -1`) if they are not. Otherwise, and during the warm-up, the attack is RoCL's.
    The network is trained on the original pairs. p = 0 is RoCL.

    Parameters
    ----------
    encoder : Encoder
    projector_width, embedding_width : int
        Hidden and output width of the projector.
    augment : Augmentation
    attack : PGD
    clusters : ClusterAttack
    temperature : float
        Softmax temperature, in units of cosine similarity.
    regularisation : float
        Weight lambda of RoCL's pull towards the attacked view.
    objective : {"rocl3", "alg1"}
        RoCL's loss of three views ("we follow RoCL"), or Algorithm 1's literal one of the
        attacked view and the second; the former is twice the latter's scale.
    detach_keys : bool
        As in RoCL's code: gradient reaches an embedding only in its part as an anchor.
    attack_mode : {"eval", "train"}
        Batch-norm mode during the attack.

    References
    ----------
    .. [1] SwARo, "Adversarial contrastive learning by permuting cluster assignments",
       Algorithm 1 and Eq. 6. Eq. 1 prints a denominator without the positive: a misprint.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        projector_width: int,
        embedding_width: int,
        augment: Augmentation,
        attack: PGD,
        clusters: ClusterAttack,
        temperature: float,
        regularisation: float,
        objective: Literal["rocl3", "alg1"] = "rocl3",
        detach_keys: bool = False,
        attack_mode: Mode = "eval",
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature)
        refuse_below_zero("method", regularisation=regularisation)
        if objective not in ("rocl3", "alg1"):
            raise ValueError(f"method.objective must be rocl3 or alg1, got '{objective}'.")
        self.encoder = encoder
        self.projector = mlp(encoder.num_features, [projector_width], embedding_width)
        self.augment = augment
        self.attack = attack
        self.clusters = clusters
        self.temperature = temperature
        self.regularisation = regularisation
        self.objective = objective
        self.detach_keys = detach_keys
        self.attack_mode = attack_mode
        self.pseudo_labels = torch.empty(0, dtype=torch.int64)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def check(self, train: ImageSet) -> None:
        """Refuse more clusters than images."""
        self.clusters.check(len(train))

    def before_epoch(self, train: ImageSet, progress: Progress) -> None:
        """Give every training image its pseudo-label."""
        since = progress.epoch - self.clusters.first_epoch(progress.max_epochs)
        is_labelled = len(self.pseudo_labels) > 0  # not where training starts after its warm-up
        if since < 0 or (since % self.clusters.every and is_labelled):
            return
        features = encode(self.encoder, train)
        if self.clusters.normalise:
            features = F.normalize(features, dim=1)
        self.pseudo_labels = kmeans(
            features, self.clusters.num_clusters, seed=self.clusters.seed + progress.epoch
        ).assignments

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the loss of the original pairs under the attack of this batch."""
        view1, view2 = views(self.augment, batch.images, batch.images).chunk(2)
        permutation, sense = self._permutation(batch, progress)
        with under_attack(self, self.attack_mode):
            with torch.no_grad():
                targets = self(view2)
            adversarial = instance_wise(
                self.attack,
                self,
                view1,
                targets if permutation is None else targets[permutation],
                temperature=self.temperature,
                sense=sense,
                detach_keys=self.detach_keys,
            )
        loss = self._loss(view1, view2, adversarial)
        scalars = {"loss": loss, "cluster_batches": loss.new_full((), float(sense is not None))}
        if sense is not None:
            scalars["same_cluster"] = (sense > 0).float().mean()
        return scalars

    def _permutation(self, batch: Batch, progress: Progress) -> tuple[Tensor | None, Tensor | None]:
        """Draw whether this batch is attacked by clusters, and if so sigma and beta."""
        if progress.epoch < self.clusters.first_epoch(progress.max_epochs):
            return None, None
        return self.clusters.draw(self.pseudo_labels[batch.indices], progress.step)

    def _loss(self, view1: Tensor, view2: Tensor, adversarial: Tensor) -> Tensor:
        if self.objective == "rocl3":
            return rocl(
                self,
                view1,
                view2,
                adversarial,
                temperature=self.temperature,
                regularisation=self.regularisation,
                detach_keys=self.detach_keys,
            )
        pair = self(torch.cat([adversarial, view2])).unflatten(0, (2, -1))
        return nt_xent_over_ranks(pair, temperature=self.temperature, detach_keys=self.detach_keys)

    def get_extra_state(self) -> dict[str, Any]:
        """Return the pseudo-labels, whose number only the data knows."""
        return {"pseudo_labels": self.pseudo_labels.cpu()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take the pseudo-labels back, to where they are looked up."""
        self.pseudo_labels = state["pseudo_labels"].to(next(self.parameters()).device)
