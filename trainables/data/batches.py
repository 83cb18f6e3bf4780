"""Batches of a training set."""

from collections.abc import Iterator
from typing import Protocol

import torch

from trainables import distributed
from trainables.batch import Batch
from trainables.data.image_set import ImageSet
from trainables.memory import send


class Batches(Protocol):
    """The batches of every epoch, in an order that only depends on the epoch and a seed."""

    def __len__(self) -> int:
        """Return the batches in an epoch."""

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch, counted from 0."""


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

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch, counted from 0."""
        generator = torch.Generator().manual_seed((self._seed * 1_000_003 + epoch) % 2**63)
        order = torch.randperm(len(self._train), generator=generator)
        order = send(order, self._train.images.device)
        share = self._batch_size // distributed.world_size()
        first = distributed.rank() * share
        for index in range(len(self)):
            start = index * self._batch_size + first
            rows = order[start : start + share]
            labels = self._train.labels[rows if self._labelled else rows[:0]]
            yield Batch(self._train.pixels(rows), labels, rows)
