"""What MLflow takes: names, lengths, and how much in one batch."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from raystudy.storage.file_names import readable
from raystudy.trackers.mlflow.run_patch import RunPatch

MAX_METRICS, MAX_PARAMS, MAX_TAGS = 1000, 100, 100  # of one batch, MLflow 3.17
MAX_KEY, MAX_PARAM, MAX_TAG = 250, 6000, 8000  # characters
Item = TypeVar("Item")


def batches(patch: RunPatch) -> Iterator[tuple[Sequence[Any], Sequence[Any], Sequence[Any]]]:
    """Yield a patch's metrics, parameters and tags in as few batches as MLflow allows."""
    from mlflow.entities import Metric, Param, RunTag

    names = {name: _key(name) for name in {point.key for point in patch.metrics}}
    metrics = [
        Metric(names[point.key], point.value, point.time, point.step) for point in patch.metrics
    ]
    params = [Param(_key(key), _cut(value, MAX_PARAM)) for key, value in patch.params.items()]
    tags = [RunTag(key, value) for key, value in fitting(patch.tags).items()]
    yield from zip_longest(
        _chunks(metrics, MAX_METRICS),
        _chunks(params, MAX_PARAMS),
        _chunks(tags, MAX_TAGS),
        fillvalue=(),
    )


def fitting(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags as MLflow takes them."""
    return {_key(key): _cut(value, MAX_TAG) for key, value in tags.items()}


def _key(name: str) -> str:
    return re.sub(r"[^\w/.\- :]", "_", readable(name))[:MAX_KEY]


def _cut(value: str, size: int) -> str:
    value = readable(value)
    return value if len(value) <= size else value[: size - 1] + "…"


def _chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
