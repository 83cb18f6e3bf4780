"""The gradient that a study's step leaves on a rank, in double precision."""

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from raystudy.config import compose
from raystudy.trial.build import build_trainer, load_splits
from trainables import distributed
from trainables.batch import Batch
from trainables.networks import sync_batch_norm


class _Step(nn.Module):
    def __init__(self, method):
        super().__init__()
        self.method = method

    def forward(self, batch, progress):
        return self.method.training_step(batch, progress)["loss"]


def gradient_of_a_step(study, overrides, index=0):
    """Return the method and its gradient of step `index`; weights stay, queues move."""
    settings = compose.load(study, ["device=cpu", "max_epochs=3", *overrides])
    trainer = build_trainer(settings, load_splits(settings))
    method = sync_batch_norm.convert(trainer.method.double())
    views = method.augment
    method.augment = lambda images: views(images.float()).double()
    step = _Step(method)
    if distributed.is_distributed():
        step = DistributedDataParallel(step, broadcast_buffers=False, find_unused_parameters=True)
    for count, batch in zip(range(index + 1), trainer._batches.epoch(0), strict=False):
        method.zero_grad()
        batch = Batch(batch.images.double(), batch.labels, batch.indices)
        step(batch, trainer._progress(count)).backward()
        method.after_update(trainer._progress(count))
    return method, torch.cat([p.grad.flatten() for p in method.parameters() if p.grad is not None])
