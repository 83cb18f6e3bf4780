"""What a tier of a table costs, in round numbers: for a list, without building anything."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raystudy.config import catalogue, hydra_files
from raystudy.evaluation.published_table import Table
from raystudy.reproduce import arms
from raystudy.reproduce.arms import FULL, SMOKE
from raystudy.storage.plans import Arm

# Passes an image of a batch takes in training, its attack included: as the trials count them.
PASSES: Mapping[str, float] = {
    **dict.fromkeys(("swaro", "rocl"), 25),
    "acl": 28,
    "at": 16,
    "trades": 26,
    "fast_at": 4,
    "cross_entropy": 2,
    "scl": 4,
    "simclr": 4,
    "simclr_ce": 4.2,
    "suncet": 4.2,
    "suncet_swav": 4.2,
    "swav": 4,
    "msr": 6,
    "byol": 6,
    "moco": 6,
    "simsiam": 4,
    "simsiam_msr": 6,
}
AT_7_STEPS = 16.0
IMAGES = {  # to train on, the validation images left out
    "digits": 1079,
    "cifar10": 45_000,
    "cifar100": 45_000,
    "stl10": 94_500,
    "tiny_imagenet": 90_000,
    "imagenet100": 114_000,
    "imagenet": 1_153_000,
    "restricted_imagenet": 231_000,
    "image_folder": 15_000,
}
# Of a pass: ResNet-18 on 32 and 64 pixels, ResNet-50 on CIFAR, on ImageNet.
FLOPS = {32: 1.1e9, 64: 4.4e9, 50: 2.6e9, 224: 4.1e9}
H100_FLOPS = 2.5e14  # sustained: what plain ResNet-18 training reaches, a quarter of the peak
CORE_PASSES = 8000.0  # a second of a CPU core, of the reduced tiers' three convolutions, 32 pixels
DIGITS_PASSES = 10_000.0  # the same of digits
# Bytes: weights, momentum, projector.
CHECKPOINT = {32: 0.14e9, 64: 0.14e9, 50: 0.28e9, 224: 0.3e9}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Round numbers; none of a table with a method or data that are not raystudy's own.

    Parameters
    ----------
    trainings : int
    passes : float, optional
    hours : float, optional
        On one H100 of the full tier, of two CPU cores of the others.
    disk : float, optional
        Bytes.
    """

    trainings: int
    passes: float | None = None
    hours: float | None = None
    disk: float | None = None


def of_tier(table: Table, name: str) -> Cost | None:
    """Return what a tier costs; None if it cannot be run."""
    tier = table.tiers.get(name)
    if table.unavailable or tier is None or tier.unavailable:
        return None
    job = arms.job_of(table, tier)
    trainings = tier.seeds * len(job.arms)
    if any(arm.study not in PASSES or _data(arm) not in IMAGES for arm in job.arms.values()):
        return Cost(trainings=trainings)
    passes = hours = disk = 0.0
    for arm in job.arms.values():
        own = tier.seeds * _passes(arm)
        size = _size(arm)
        passes += own
        if name == FULL:
            hours += own * FLOPS[size] / H100_FLOPS / 3600
            disk += tier.seeds * CHECKPOINT[size]
        else:
            rate = DIGITS_PASSES if name == SMOKE else CORE_PASSES * _speed(arm)
            hours += own / rate / 2 / 3600
            disk += tier.seeds * 1e6
    return Cost(trainings=trainings, passes=passes, hours=hours, disk=disk)


def _speed(arm: Arm) -> float:
    """Return how much faster passes are than at 32 pixels: 3 times at 16, as measured."""
    size = _last(arm.overrides, "data.image_size")
    return (32 / float(size)) ** 1.6 if size else 1.0


def _passes(arm: Arm) -> float:
    each = AT_7_STEPS if "attack=at_l2" in arm.overrides else PASSES[arm.study]
    return each * IMAGES[_data(arm)] * _epochs(arm)


def _data(arm: Arm) -> str:
    return _last(arm.overrides, "data") or "digits"


def _epochs(arm: Arm) -> float:
    given = _last(arm.overrides, "max_epochs")
    return float(given) if given else _own_epochs(arm.study, _data(arm))


def _last(overrides: Sequence[str], path: str) -> str | None:
    values = [text.partition("=")[2] for text in overrides if text.startswith(f"{path}=")]
    return values[-1] if values else None


@functools.cache
def _own_epochs(study: str, data: str) -> float:
    """Return the epochs that a recipe says, without composing it."""
    for name in (f"recipe/{study}/{data}", study):
        path = catalogue.find_yaml(name)
        epochs = hydra_files.load_yaml(path).get("max_epochs") if path else None
        if epochs is not None:
            return float(epochs)
    return 1.0


def _size(arm: Arm) -> int:
    if _data(arm) in ("stl10", "tiny_imagenet"):
        return 64
    if "imagenet" in _data(arm):
        return 224
    resnet50 = arm.study in ("suncet", "simclr_ce", "fast_at", "cross_entropy")
    chosen = _last(arm.overrides, "encoder")
    return 50 if chosen == "resnet50" or (resnet50 and chosen is None) else 32
