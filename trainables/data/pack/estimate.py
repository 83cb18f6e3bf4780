"""What packing will take, from a few of the images."""

import time
from contextlib import suppress
from typing import NamedTuple

from trainables.data.pack.encoding import Encoding
from trainables.data.pack.layouts import Arrangement
from trainables.data.pack.sources import Source

LOOKED_AT = 24  # images


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
