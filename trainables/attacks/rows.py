"""Norms, draws and gradients of one image at a time, in batches."""

import torch
from torch import Tensor

from trainables.distributed import draw_rows
from trainables.memory import ones_like


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Give values, shape (N,), as many dimensions as `like` has."""
    return values.view(-1, *[1] * (like.dim() - 1))


def norm(rows: Tensor, order: float) -> Tensor:
    """Return each row's norm over all its pixels, which keep their dimensions."""
    every_pixel = tuple(range(1, rows.dim()))  # not flattened: rows may be channels last
    length: Tensor = torch.linalg.vector_norm(rows, ord=order, dim=every_pixel, keepdim=True)
    return length


def normal(like: Tensor, *, std: float = 1.0) -> Tensor:
    """Draw normal numbers of the shape of `like`, each row its own on every rank."""

    def draw(rows: int) -> Tensor:
        numbers = torch.empty(rows, *like.shape[1:], device=like.device, dtype=like.dtype)
        return numbers.normal_(std=std)

    return draw_rows(draw, len(like))


def uniform(like: Tensor, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Draw from [low, high), shape (N, *shape), each row its own on every rank."""

    def draw(rows: int) -> Tensor:
        numbers = torch.empty(rows, *shape, device=like.device, dtype=like.dtype)
        return numbers.uniform_(low, high)

    return draw_rows(draw, len(like))


def gradient_of(losses: Tensor, x: Tensor) -> Tensor:
    """Return the gradient of each row's loss, losses of shape (N,), as x; weights get none."""
    (gradient,) = torch.autograd.grad(losses, x, ones_like(losses))
    return gradient


def stuck(x: Tensor, uphill: Tensor) -> Tensor:
    """Return which pixels are at that end of [0, 1] to which `uphill` would take them."""
    return ((x < 1e-6) & (uphill < 0)) | ((x > 1 - 1e-6) & (uphill > 0))
