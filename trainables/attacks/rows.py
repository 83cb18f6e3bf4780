"""Norms, draws and gradients of one image at a time, in batches."""

import torch
from torch import Tensor

from trainables.distributed import draw_rows


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Give values, shape (N,), as many dimensions as `like` has."""
    return values.view(-1, *[1] * (like.dim() - 1))


def norm(rows: Tensor, order: float) -> Tensor:
    """Return each row's norm over all its pixels, which keep their dimensions."""
    every_pixel = tuple(range(1, rows.dim()))  # not flattened: rows may be channels last
    length: Tensor = torch.linalg.vector_norm(rows, ord=order, dim=every_pixel, keepdim=True)
    return length


def normal(like: Tensor) -> Tensor:
    """Draw standard normal numbers of the shape of `like`, each row its own on every rank."""
    return draw_rows(
        lambda n: torch.randn(n, *like.shape[1:], device=like.device, dtype=like.dtype), len(like)
    )


def uniform(like: Tensor, *shape: int) -> Tensor:
    """Draw uniform numbers, shape (N, *shape), each row its own on every rank."""
    return draw_rows(
        lambda n: torch.rand(n, *shape, device=like.device, dtype=like.dtype), len(like)
    )


def gradient_of(losses: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of each row's loss, losses of shape (N,), as x; weights get none."""
    (gradient,) = torch.autograd.grad(losses, x, torch.ones_like(losses))
    return gradient


def stuck(x: Tensor, uphill: Tensor) -> Tensor:
    """Return which pixels are at that end of [0, 1] to which `uphill` would take them."""
    return ((x < 1e-6) & (uphill < 0)) | ((x > 1 - 1e-6) & (uphill > 0))
