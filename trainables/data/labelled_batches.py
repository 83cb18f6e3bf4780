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
from trainables.data.lists import read_lines
from trainables.data.pack.cutting import Draws
from trainables.data.pack.images import PackedImages
from trainables.memory import send
from trainables.ranges import refuse_not_whole


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
    classes_per_batch : int, optional
        Classes that a batch has labelled images of, drawn anew every step; all if left out.
    draws : int
        Times that a batch draws its images of its classes, each time distinct ones: as many GPUs
        as draw by themselves in the paper's code.
    files : str, optional
        A file that lists the images of a pack that keep their label, one name a line; then
        neither `fraction` nor `seed` counts.

    References
    ----------
    .. [1] Assran et al. 2020, arXiv:2006.10803. Their released code makes no such draw on
       CIFAR-10: it uses all labels, or a stored list of 4,000.
    """

    fraction: float
    images_per_class: int
    switch_off: int | None = None
    seed: int = 0
    classes_per_batch: int | None = None
    draws: int = 1
    files: str | None = None

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
        if self.classes_per_batch is not None:
            refuse_not_whole(
                "labels.classes_per_batch, if not null,", self.classes_per_batch, least=2
            )
        refuse_not_whole("labels.draws", self.draws)

    def is_on(self, epoch: int) -> bool:
        """Return whether batches of an epoch, counted from 0, have labelled images."""
        return self.switch_off is None or epoch < self.switch_off

    def members(self, labels: Tensor, images: Tensor | PackedImages | None = None) -> list[Tensor]:
        """Return, class by class, the rows that keep their label.

        Parameters
        ----------
        labels : Tensor, shape (L,)
        images : PackedImages, optional
            Where `files` chooses among them.

        Raises
        ------
        ValueError
            If a class keeps fewer than a batch wants, or the list is none of these images.
        """
        labels = labels.cpu()
        rows = self._keeps(len(labels), images).nonzero().flatten()
        rows = rows[labels[rows].argsort(stable=True)]
        counts = labels[rows].bincount(minlength=int(labels.max()) + 1)
        members = list(torch.split(rows, counts[torch.unique(labels)].tolist()))
        fewest = min(len(rows) for rows in members)
        chosen = f"files={self.files}" if self.files else f"fraction={self.fraction}"
        if fewest < 2:
            raise ValueError(
                f"labels.{chosen} must leave every class two labelled images or more, and leaves "
                f"one {fewest} of {len(labels):,} images in {len(members):,} classes."
            )
        if fewest < self.images_per_class:
            raise ValueError(
                f"labels.images_per_class must be at most {fewest}, the labelled images of the "
                f"class that has fewest with labels.{chosen}, got {self.images_per_class}."
            )
        if (self.classes_per_batch or 0) > len(members):
            raise ValueError(
                f"labels.classes_per_batch must be at most {len(members)}, the classes there are, "
                f"got {self.classes_per_batch}."
            )
        return members

    def _keeps(self, count: int, images: Tensor | PackedImages | None) -> Tensor:
        if self.files is None:
            return torch.rand(count, generator=_stream("keep", self.seed)) < self.fraction
        if not isinstance(images, PackedImages):
            raise ValueError(
                f"labels.files={self.files} lists images of a pack (data=packed, data=imagenet, "
                f"...), and these data are none; use labels.fraction, or pack them."
            )
        listed = read_lines(self.files, "labels.files", "the names of image files, one a line")
        return torch.from_numpy(images.listed(listed, f"labels.files={self.files}")[:count])


class LabelledBatches:
    """Shuffled batches of all images without labels, after a class-balanced labelled draw.

    The labelled images of a draw are distinct, and drawn anew every step from those that keep
    their label; they come in rounds of one image of each class of the step. From the switch-off
    on a batch is the unlabelled part alone, so that no labelled image is computed. An epoch is one
    pass over the unlabelled images, among which are the labelled ones.

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
        if labelled.images_per_class * labelled.draws % ranks:
            times = f" times labels.draws={labelled.draws}" if labelled.draws > 1 else ""
            raise ValueError(
                f"labels.images_per_class{times} is shared by scaling.num_workers={ranks} workers "
                f"and must be a multiple of it, got {labelled.images_per_class}."
            )
        if not len(train.labels):
            raise ValueError("labels.fraction needs training images with labels, got none.")
        self._unlabelled = ShuffledBatches(train, batch_size=batch_size, seed=seed)
        self._train = train
        self._seed = seed
        self._labelled = labelled
        self._members = labelled.members(train.labels, train.images)

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
        classes, wanted = self._members, self._labelled.images_per_class
        if self._labelled.classes_per_batch is not None:
            order = torch.randperm(len(classes), generator=stream)
            chosen = order[: self._labelled.classes_per_batch].sort().values
            classes = [classes[one] for one in chosen.tolist()]
        rounds = self._rounds(classes, wanted, stream)
        share = len(rounds) // distributed.world_size()
        first = distributed.rank() * share
        return rounds[first : first + share].flatten()

    def _rounds(self, classes: list[Tensor], wanted: int, stream: torch.Generator) -> Tensor:
        """Return rows of all draws, shape (draws x wanted, classes)."""
        draws = self._labelled.draws
        if draws == 1:
            orders = [torch.randperm(len(rows), generator=stream)[:wanted] for rows in classes]
            return torch.stack([r[o] for r, o in zip(classes, orders, strict=True)], dim=1)
        # All at once: one by one, 64 draws of 20 classes take seconds an epoch.
        sizes = torch.tensor([len(rows) for rows in classes])
        places = _distinct(sizes.expand(draws, -1), wanted, stream) + sizes.cumsum(0) - sizes
        return torch.cat(classes)[places].flatten(0, 1)


def _distinct(sizes: Tensor, wanted: int, stream: torch.Generator) -> Tensor:
    """Return different whole numbers below each size, shape (draws, wanted, classes)."""
    found = sizes.new_empty(len(sizes), 0, sizes.shape[1])
    for taken in range(wanted):
        lots = torch.rand(sizes.shape, generator=stream, dtype=torch.float64)
        number = (lots * (sizes - taken)).long()  # among those not taken
        for before in found.sort(dim=1).values.unbind(1):
            number += number >= before
        found = torch.cat([found, number[:, None]], dim=1)
    return found


def _stream(*what: object) -> torch.Generator:
    """Return a random stream of its own for what is named."""
    # torch reads the low 32 bits of a seed: seeds far apart may still be one stream.
    return torch.Generator().manual_seed(zlib.crc32(repr(what).encode()))
