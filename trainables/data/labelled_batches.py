"""Batches that start with labelled images, equally many of every class."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from trainables import distributed
from trainables.batch import Batch
from trainables.data.batches import ShuffledBatches, batches_of
from trainables.data.image_set import ImageSet
from trainables.data.pack.cutting import Draws
from trainables.memory import send


@dataclass(frozen=True, kw_only=True)
class Supervision:
    """Which training images have a label, how many of them a batch holds, and until when [1]_.

    Parameters
    ----------
    fraction : float
        Chance in (0, 1] of each training image to keep its label, drawn once and for each image
        by itself; with the same seed a larger fraction keeps what a smaller one keeps.
    images_per_class : int
        Labelled images of every class in a batch, over all ranks together; at least two, so that
        each finds another of its class.
    switch_off : int, optional
        Epochs with labels; if left out, labels stay to the end.
    seed : int
        Of the draw of who keeps a label; not the training's.

    References
    ----------
    .. [1] Assran et al. 2020, arXiv:2006.10803. Their released code makes no such draw on
       CIFAR-10: it uses all labels, or a stored list of 4,000.
    """

    fraction: float
    images_per_class: int
    switch_off: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.fraction <= 1:
            raise ValueError(f"labels.fraction must be in (0, 1], got {self.fraction}.")
        if self.images_per_class < 2:
            raise ValueError(
                f"labels.images_per_class must be at least 2, got {self.images_per_class}."
            )
        if self.switch_off is not None and self.switch_off < 0:
            raise ValueError(
                f"labels.switch_off must be at least 0 epochs, or null for never, got "
                f"{self.switch_off}."
            )

    def is_on(self, epoch: int) -> bool:
        """Return whether batches of an epoch, counted from 0, have labelled images."""
        return self.switch_off is None or epoch < self.switch_off

    def members(self, labels: Tensor) -> list[Tensor]:
        """Return, class by class, the rows that keep their label.

        Raises
        ------
        ValueError
            If a class keeps fewer than a batch wants.
        """
        labels = labels.cpu()
        keeps = torch.rand(len(labels), generator=_stream("keep", self.seed)) < self.fraction
        members = [(keeps & (labels == one)).nonzero().flatten() for one in torch.unique(labels)]
        fewest = min(len(rows) for rows in members)
        if fewest < self.images_per_class:
            raise ValueError(
                f"labels.images_per_class must be at most {fewest}, the labelled images of the "
                f"class that has fewest with labels.fraction={self.fraction}, got "
                f"{self.images_per_class}."
            )
        return members


class LabelledBatches:
    """Shuffled batches of all images without labels, after a class-balanced labelled draw.

    The labelled images of a step are distinct, and drawn anew every step from those that keep
    their label; they come in rounds of one image of each class. From the switch-off on a batch is
    the unlabelled part alone, so that no labelled image is computed. An epoch is one pass over the
    unlabelled images, among which are the labelled ones.

    Parameters
    ----------
    train : ImageSet
    batch_size : int
        Unlabelled images over all ranks together.
    seed : int
        Of the order and of the labelled draws.
    labelled : Supervision
    """

    def __init__(
        self, train: ImageSet, *, batch_size: int, seed: int, labelled: Supervision
    ) -> None:
        ranks = distributed.world_size()
        if labelled.images_per_class % ranks:
            raise ValueError(
                f"labels.images_per_class is shared by scaling.num_workers={ranks} workers and "
                f"must be a multiple of it, got {labelled.images_per_class}."
            )
        if not len(train.labels):
            raise ValueError("labels.fraction needs training images with labels, got none.")
        self._unlabelled = ShuffledBatches(train, batch_size=batch_size, seed=seed)
        self._train = train
        self._seed = seed
        self._labelled = labelled
        self._members = labelled.members(train.labels)

    def __len__(self) -> int:
        """Return the whole batches in an epoch."""
        return len(self._unlabelled)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch, counted from 0, from `first` on."""
        if not self._labelled.is_on(epoch):
            yield from self._unlabelled.epoch(epoch, first)
            return
        stream = _stream("draw", self._seed, epoch)
        # All of an epoch at once: a copy to a GPU in every step would hold it up.
        drawn = torch.stack([self._draw(stream) for _ in range(len(self))])
        drawn = send(drawn, self._train.images.device)
        rows = torch.cat([drawn, self._unlabelled.rows(epoch)], dim=1)[first:]
        draws = Draws(seed=self._seed, epoch=epoch, first=first)
        yield from batches_of(self._train, rows, drawn.shape[1], draws)

    def _draw(self, stream: torch.Generator) -> Tensor:
        """Return this rank's labelled rows of one step: whole rounds, each of every class."""
        wanted = self._labelled.images_per_class
        chosen = [
            rows[torch.randperm(len(rows), generator=stream)[:wanted]] for rows in self._members
        ]
        share = wanted // distributed.world_size()
        first = distributed.rank() * share
        return torch.stack(chosen, dim=1)[first : first + share].flatten()


def _stream(*what: object) -> torch.Generator:
    """Return a random stream of its own for what is named."""
    # torch reads the low 32 bits of a seed: seeds far apart may still be one stream.
    return torch.Generator().manual_seed(zlib.crc32(repr(what).encode()))
