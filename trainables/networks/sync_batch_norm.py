"""Batch norm over the images of all ranks, on CPU too."""

from typing import TypeVar, cast

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.modules.batchnorm import _BatchNorm

from trainables import distributed

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class GlooSyncBatchNorm(_BatchNorm):
    """What ``torch.nn.SyncBatchNorm`` does, for the CPU tensors it refuses.

    Statistics are sums over all ranks through a differentiable all-reduce, so value, gradient
    and running statistics are those of one large batch, whatever share of it each rank holds.
    """

    def _check_input_dim(self, rows: Tensor) -> None:
        if rows.dim() < 2:
            raise ValueError(f"Batch norm needs at least 2 dimensions, got {rows.dim()}.")

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise (N, C, ...) over N, every position and every rank."""
        if not self.training or distributed.world_size() == 1:
            return super().forward(rows)
        self._check_input_dim(rows)
        # bfloat16 has 8 bits for sums over thousands of positions.
        wide = rows.float() if rows.dtype in (torch.bfloat16, torch.float16) else rows
        dims = [0, *range(2, rows.dim())]
        shape = [1, -1, *[1] * (rows.dim() - 2)]
        # Ranks that detect objects in images of several sizes have maps of several sizes.
        count = int(distributed.sum_over_ranks(torch.tensor(rows.numel() // rows.shape[1])))
        mean = distributed.sum_with_gradient(wide.sum(dims)) / count
        centred = wide - mean.view(shape)
        variance = distributed.sum_with_gradient((centred**2).sum(dims)) / count
        self._track(mean.detach(), variance.detach() * count / max(count - 1, 1))
        scale = (variance + self.eps).rsqrt()
        if self.affine:
            normal = centred * (scale * self.weight).view(shape) + self.bias.view(shape)
        else:
            normal = centred * scale.view(shape)
        return normal.to(rows.dtype)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None  # it comes with the running statistics
        self.num_batches_tracked.add_(1)
        share = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), share)
        self.running_var.lerp_(variance.to(self.running_var.dtype), share)


def convert(module: ModuleT) -> ModuleT:
    """Replace every batch norm by one over all ranks: torch's own with NCCL, else ours.

    Parameters and buffers stay the same objects. Parts are replaced in place; a batch norm by
    itself comes back as a new module.
    """
    if distributed.is_distributed() and dist.get_backend() == "nccl":
        converted: ModuleT = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return converted
    if isinstance(module, _BatchNorm) and not isinstance(module, GlooSyncBatchNorm):
        return cast(ModuleT, _synchronised(module))
    for name, child in module.named_children():
        setattr(module, name, convert(child))
    return module


def _synchronised(layer: _BatchNorm) -> GlooSyncBatchNorm:
    twin = GlooSyncBatchNorm(
        layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats
    )
    for name, parameter in layer.named_parameters(recurse=False):
        setattr(twin, name, parameter)
    for name, buffer in layer.named_buffers(recurse=False):
        setattr(twin, name, buffer)
    twin.training = layer.training
    return twin
