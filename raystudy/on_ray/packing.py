"""Images encoded on the nodes of a Ray cluster."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import ray

from raystudy.config.scaling import Scaling
from raystudy.on_ray.cluster import connected
from raystudy.on_ray.resources import node_totals, selector
from trainables.data.pack.encoding import Encoded, Encoding
from trainables.data.pack.writing import Elsewhere, attempt

MOST_IMAGES, MOST_BYTES = 64, 2**23  # of a task
AHEAD = 2  # tasks for each core; those that wait let an autoscaler start nodes

File = tuple[str, bytes | str]  # its name with what is in it, or with why that cannot be read


@contextmanager
def encoding_on_ray(encoding: Encoding, scaling: Scaling) -> Iterator[Elsewhere]:
    """Yield what encodes files, which only this process reads and writes, by tasks of one core.

    Parameters
    ----------
    encoding : Encoding
    scaling : Scaling
        Where Ray is, and how many tasks may run at a time.
    """
    with connected(scaling):
        task: Any = ray.remote(num_cpus=1, label_selector=selector(scaling))(_encode)

        def encoded(files: Iterable[File]) -> Iterator[tuple[str, Encoded | str]]:
            waiting: deque[Any] = deque()
            for several in _portions(files):
                waiting.append(task.remote(encoding, several))
                while len(waiting) > AHEAD * _at_a_time(scaling):
                    yield from ray.get(waiting.popleft())
            while waiting:
                yield from ray.get(waiting.popleft())

        yield encoded


def _at_a_time(scaling: Scaling) -> int:
    cores = sum(int(node.get("CPU", 0)) for node in node_totals(scaling))
    return max(1, min(cores, scaling.max_concurrent or cores))


def _portions(files: Iterable[File]) -> Iterator[list[File]]:
    portion, size = list[File](), 0
    for name, content in files:
        portion.append((name, content))
        size += len(content)
        if len(portion) >= MOST_IMAGES or size >= MOST_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _encode(encoding: Encoding, files: list[File]) -> list[tuple[str, Encoded | str]]:
    return [
        (name, found if isinstance(found, str) else attempt(partial(encoding, found)))
        for name, found in files
    ]
