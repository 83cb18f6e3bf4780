"""Batches of a training set."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from trainables import distributed
from trainables.batch import Batch
from trainables.data.image_set import ImageSet
from trainables.data.pack.cutting import Draws
from trainables.memory import send


class Batches(Protocol):
    """The batches of every epoch, in an order that only depends on the epoch and a seed."""

    def __len__(self) -> int:
        """Return the batches in an epoch."""

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch, counted from 0, from `first` on."""


class ShuffledBatches:
    """Every image at most once an epoch, in a new order each time.

    The order has a random stream of its own, seeded by `seed` and the epoch, so that nothing
    else that is random can move it and a resumed run has the same order as an uninterrupted one.

    Parameters
    ----------
    train : ImageSet
    batch_size : int
        Images over all ranks together; the last, smaller batch of an epoch is left out.
    seed : int
    labelled : bool
        Give each image's label, and leave out images that have none; otherwise all images take
        part and batches have no labels (L = 0).
    """

    def __init__(
        self, train: ImageSet, *, batch_size: int, seed: int, labelled: bool = False
    ) -> None:
        ranks = distributed.world_size()
        train = train.labelled if labelled else train
        # Batch norm and contrastive losses compare images: of one alone there is nothing to learn.
        if not 2 <= batch_size <= len(train):
            raise ValueError(
                f"batch_size must be between 2 and the {len(train)} training images, "
                f"got {batch_size}."
            )
        if batch_size % ranks:
            raise ValueError(
                f"batch_size is shared by scaling.num_workers={ranks} workers and must be a "
                f"multiple of it, got {batch_size}."
            )
        self._train = train
        self._batch_size = batch_size
        self._seed = seed
        self._labelled = labelled

    def __len__(self) -> int:
        """Return the whole batches in an epoch."""
        return len(self._train) // self._batch_size

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch, counted from 0, from `first` on."""
        rows = self.rows(epoch)[first:]
        draws = Draws(seed=self._seed, epoch=epoch, first=first)
        yield from batches_of(self._train, rows, rows.shape[1] if self._labelled else 0, draws)

    def rows(self, epoch: int) -> Tensor:
        """Return this rank's rows of each batch of an epoch, shape (batches, rows of each)."""
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(len(self._train), generator=generator)
        order = send(order, self._train.images.device)
        share = self._batch_size // distributed.world_size()
        whole = order[: len(self) * self._batch_size].view(len(self), self._batch_size)
        return whole[:, distributed.rank() * share :][:, :share]


def batches_of(train: ImageSet, rows: Tensor, labelled: int, draws: Draws) -> Iterator[Batch]:
    """Yield batches of chosen images, the first `labelled` of each with their labels.

    Parameters
    ----------
    train : ImageSet
    rows : Tensor, shape (batches, rows of each), int64
    labelled : int
    draws : Draws
    """
    for each, images in zip(rows, train.batches(rows, draws), strict=True):
        yield Batch(images, train.labels[each[:labelled]], each)
