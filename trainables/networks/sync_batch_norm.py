"""Batch norm over the images of all ranks, on CPU too."""

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.distributed.nn.functional import all_reduce
from torch.nn.modules.batchnorm import _BatchNorm

from trainables import distributed

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class GlooSyncBatchNorm(_BatchNorm):
    """What ``torch.nn.SyncBatchNorm`` does, for the CPU tensors it refuses.

    Statistics are sums over all ranks through a differentiable all-reduce, so value, gradient
    and running statistics are those of one large batch.
    """

    def _check_input_dim(self, rows: Tensor) -> None:
        if rows.dim() < 2:
            raise ValueError(f"batch norm needs at least 2 dimensions, got {rows.dim()}.")

    def forward(self, rows: Tensor) -> Tensor:
        """Normalise (N, C, ...) over N, every position and every rank."""
        if not self.training:
            return super().forward(rows)
        dims = [0, *range(2, rows.dim())]
        count = rows.numel() // rows.shape[1] * distributed.world_size()
        mean = all_reduce(rows.sum(dims)) / count
        shape = [1, -1, *[1] * (rows.dim() - 2)]
        centred = rows - mean.view(shape)
        variance = all_reduce((centred**2).sum(dims)) / count
        self._track(mean.detach(), variance.detach() * count / max(count - 1, 1))
        normal = centred * (variance + self.eps).rsqrt().view(shape)
        if self.weight is None:
            return normal
        return normal * self.weight.view(shape) + self.bias.view(shape)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.momentum is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)


def convert(module: ModuleT) -> ModuleT:
    """Replace every batch norm by one over all ranks: torch's own with NCCL, else ours."""
    if dist.get_backend() == "nccl":
        converted: ModuleT = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return converted
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm) and not isinstance(child, GlooSyncBatchNorm):
            setattr(module, name, _synchronised(child))
        else:
            convert(child)
    return module


def _synchronised(layer: _BatchNorm) -> GlooSyncBatchNorm:
    twin = GlooSyncBatchNorm(
        layer.num_features,
        layer.eps,
        layer.momentum,
        layer.affine,
        layer.track_running_stats,
    )
    twin.load_state_dict(layer.state_dict())
    reference = next(iter(layer.state_dict().values()), None)
    return twin.to(reference.dtype) if layer.affine and reference is not None else twin
