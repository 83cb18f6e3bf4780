"""Trainers of full-scale recipes whose images and weights are on torch's meta device."""

import torch
from never_waiting import DEVICE
from torch.optim import optimizer

from raystudy.config import compose
from raystudy.trial.build import _build, build_method
from trainables import preparation
from trainables.data.image_set import ImageSet, Splits
from trainables.trainer import Trainer

CLASSES, IMAGES = 10, 160
HERE = ImageSet(torch.zeros(IMAGES, 3, 16, 16, dtype=torch.uint8), torch.arange(IMAGES) % CLASSES)
SPLITS = Splits(HERE, HERE.rows(slice(60)), HERE, tuple("0123456789")).to(DEVICE)
SMALL = ["encoder=small_conv", "batch_size=40", "trainer.clip_grad_norm=1"]

# Optimizers make their updates in one kernel, as on a GPU; torch has no SGD's for this device.
preparation.FUSED_ON.add(DEVICE)
fused_devices = optimizer._get_fused_kernels_supported_devices
optimizer._get_fused_kernels_supported_devices = lambda: [*fused_devices(), DEVICE]
kernels = torch.library.Library("aten", "IMPL", "Meta")
kernels.impl("_fused_sgd_", lambda *_, **__: None)


def settings_of(study, *overrides):
    """Return a full-scale recipe with everything it has switched on, and little of it."""
    settings = compose.load(study, ["data=cifar10", *SMALL, *overrides])
    if "steps" in settings.attack:
        settings.attack.steps = min(settings.attack.steps, 2)
    if "labels" in settings:
        settings.labels.fraction, settings.labels.images_per_class = 1.0, 2
    if "clusters" in settings:
        settings.clusters.num_clusters = 20
        settings.clusters.warmup, settings.clusters.probability = 0.0, 1.0
    if "prototypes" in settings.method:
        settings.method.prototypes.queue_start = 0
        settings.method.prototypes.queue_length = 40
    return settings


def on_device(batches, train):
    """Let batches that were set up from labels anybody can read give images of the device."""
    for name, value in vars(batches).items():
        if isinstance(value, ImageSet):
            setattr(batches, name, train)
        elif hasattr(value, "epoch"):
            on_device(value, train)
    return batches


def trainer_of(settings):
    train = HERE.to(DEVICE)
    return Trainer(
        method=build_method(settings),
        optimizer=_build(settings.optimizer),
        lr_schedule=_build(settings.lr_schedule),
        train=train,
        batches=on_device(_build(settings.batches)(HERE), train),
        max_epochs=settings.max_epochs,
        options=_build(settings.trainer),
    )
