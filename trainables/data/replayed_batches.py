"""Batches that come several times in a row."""

from collections.abc import Iterator

from trainables.batch import Batch
from trainables.data.batches import ShuffledBatches
from trainables.data.image_set import ImageSet


class ReplayedBatches:
    """The labelled batches of `ShuffledBatches`, each of them `replays` times.

    An epoch is thus as long as that many of other methods; its learning-rate schedule moves with
    every replay. The very same `Batch` is yielded again, so that a method can distinguish a replay
    from a new batch by its ``indices``.

    Parameters
    ----------
    train : ImageSet
    batch_size : int
        Images over all ranks together.
    seed : int
    replays : int
        m of free adversarial training.
    labelled : bool
    """

    def __init__(
        self, train: ImageSet, *, batch_size: int, seed: int, replays: int, labelled: bool = True
    ) -> None:
        if replays < 1:
            raise ValueError(f"batches.replays must be at least 1, got {replays}.")
        self._once = ShuffledBatches(train, batch_size=batch_size, seed=seed, labelled=labelled)
        self._replays = replays

    def __len__(self) -> int:
        """Return the batches in an epoch, replays included."""
        return len(self._once) * self._replays

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield this rank's part of each batch of an epoch, counted from 0, from `first` on."""
        start, replayed = divmod(first, self._replays)
        for batch in self._once.epoch(epoch, start):
            for _ in range(replayed, self._replays):
                yield batch
            replayed = 0
