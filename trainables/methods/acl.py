"""ACL: contrastive learning in two streams, clean and attacked, with a batch norm each."""

from typing import Literal

from torch import Tensor

from trainables.attacks.pgd import PGD
from trainables.augment.pipeline import Augmentation, views
from trainables.batch import Batch
from trainables.distributed import stacked
from trainables.losses.nt_xent import nt_xent_over_ranks
from trainables.methods.base import Method
from trainables.modes import Mode
from trainables.networks.encoder import Encoder
from trainables.networks.folding import under_attack
from trainables.networks.heads import mlp
from trainables.networks.split_batch_norm import split, use_branch
from trainables.progress import Progress
from trainables.ranges import refuse_not_above_zero

BRANCHES = ("normal", "pgd")


class ACL(Method):
    r"""Contrast two clean views, and the same two attacked together (dual stream) [1]_.

    .. math:: L = \tfrac{1}{2} [\mathrm{NTXent}(t_1, t_2) + \mathrm{NTXent}(t_1', t_2')]

    Weights are shared, batch norms are not: clean images go through one branch of them and
    attacked ones through the other, in the projector too.

    Parameters
    ----------
    encoder : Encoder
        Its batch norms are split.
    projector_widths : list of int
        Hidden widths of the projector, which has a batch norm after every layer.
    embedding_width : int
    augment : Augmentation
    attack : PGD
        On both views jointly, with every rank's images as negatives.
    temperature : float
        Softmax temperature, in units of cosine similarity.
    branch : {"normal", "pgd"}
        Batch norms by which the encoder is judged and used after training.
    attack_mode : {"eval", "train"}
        Batch-norm mode during the attack.

    References
    ----------
    .. [1] Jiang et al. 2020, arXiv:2010.13337, Sec. 3.2.
    """

    trains_every_parameter = True

    def __init__(
        self,
        *,
        encoder: Encoder,
        projector_widths: list[int],
        embedding_width: int,
        augment: Augmentation,
        attack: PGD,
        temperature: float,
        branch: Literal["normal", "pgd"],
        attack_mode: Mode = "eval",
    ) -> None:
        super().__init__()
        refuse_not_above_zero("method", temperature=temperature)
        if branch not in BRANCHES:
            raise ValueError(f"method.branch must be normal or pgd, got '{branch}'.")
        names = sorted(BRANCHES, key=lambda name: name != branch)  # the first is in use
        projector = mlp(
            encoder.num_features,
            projector_widths,
            embedding_width,
            batch_norm=True,
            last_batch_norm=True,
            last_affine=True,
        )
        self.encoder = split(encoder, names)
        self.projector = split(projector, names)
        self.augment = augment
        self.attack = attack
        self.temperature = temperature
        self.attack_mode = attack_mode

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings, shape (N, D)."""
        embeddings: Tensor = self.projector(self.encoder(images))
        return embeddings

    def training_step(self, batch: Batch, progress: Progress) -> dict[str, Tensor]:
        """Return the mean of the two streams' losses."""
        images = views(self.augment, batch.images, batch.images)
        with stacked((len(batch), len(batch))):
            delta0 = self.attack.ball.sample(images, self.attack.start)
        with use_branch(self, "pgd"):
            with under_attack(self, self.attack_mode):
                adversarial = self.attack(self._loss, images, delta0=delta0)
            attacked = self._loss(adversarial)
        with use_branch(self, "normal"):
            clean = self._loss(images)
        return {
            "loss": (clean + attacked) / 2,
            "clean_loss": clean,
            "adversarial_loss": attacked,
        }

    def _loss(self, images: Tensor) -> Tensor:
        pair = self(images).unflatten(0, (2, -1))
        return nt_xent_over_ranks(pair, temperature=self.temperature)
