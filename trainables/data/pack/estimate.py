"""What packing will take, and what reading does, from a few of the images."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

from trainables.augment.crops import RandomResizedCrop
from trainables.data.pack.cutting import Draws, Request, WholeBatch
from trainables.data.pack.encoding import Encoding
from trainables.data.pack.images import PackedImages
from trainables.data.pack.layouts import Arrangement
from trainables.data.pack.sources import Source

T = TypeVar("T")
LOOKED_AT, READ = 24, 128  # images


class Estimate(NamedTuple):
    """Bytes on disk, and seconds of one core."""

    size: float
    seconds: float


def estimate(source: Source, arrangement: Arrangement, encoding: Encoding) -> Estimate:
    """Pack a few images, evenly spaced, to nowhere; those that cannot be read are left out."""
    names = [image.name for part in arrangement.images.values() for image in part]
    step = max(1, len(names) // LOOKED_AT)
    sizes, started = list[int](), time.thread_time()
    for name in names[::step]:
        with suppress(ValueError, OSError):
            sizes.append(len(encoding(source.read(name)).file))
    share = len(names) / max(len(sizes), 1)
    return Estimate(share * sum(sizes), share * (time.thread_time() - started))


def reading_rate(images: PackedImages) -> float:
    """Return how many images a second one core decodes and cuts two views of."""
    few, crop = images.members[:READ], RandomResizedCrop(scale_min=0.2)
    bench = replace(images.bench(), pool=_Here())
    views = [Request(crop, 0, len(few))] * 2
    draws, taken = Draws(seed=0, epoch=0), []
    for _ in range(2):  # the first time a disk is read
        started = time.thread_time()
        WholeBatch(bench, few, partial(draws.numbers, 0), views)
        taken.append(time.thread_time() - started)
    return len(few) / max(min(taken), 1e-6)


class _Here(Executor):
    """Works in the thread that asks, at once."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future
