"""The little that methods need to know of other ranks; without a process group, one rank.

Every rank keeps the same random state. What is random per image is drawn for the global batch
on every rank and each keeps its own rows (`draw_rows`), so that several ranks train on exactly
the random numbers one process would have used.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch import distributed as dist

_stacked: tuple[int, ...] = ()  # rows of each of several batches that are drawn for at once


def is_distributed() -> bool:
    """Return whether this process belongs to a process group."""
    return dist.is_available() and dist.is_initialized()


def rank() -> int:
    """Return this process's rank, 0 when it is alone."""
    return dist.get_rank() if is_distributed() else 0


def world_size() -> int:
    """Return how many ranks there are, 1 when this process is alone."""
    return dist.get_world_size() if is_distributed() else 1


class _Gather(torch.autograd.Function):
    """Every rank's rows; backward adds up what the ranks' losses say about this rank's."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.rows = len(rows)
        everyone = rows.new_empty(world_size() * len(rows), *rows.shape[1:])
        dist.all_gather_into_tensor(everyone, rows.contiguous())
        return everyone

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(gradient)
        return total.narrow(0, rank() * ctx.rows, ctx.rows)


class _Sum(torch.autograd.Function):
    """The sum over ranks; its gradient is the sum over ranks too."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        # A copy, because all_reduce works in place, and in one piece, which it asks for.
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        total: Tensor = _Sum.apply(gradient)
        return total


def gather(rows: Tensor) -> Tensor:
    """Concatenate every rank's rows, in rank order, with the gradient of one large batch.

    Backward sums each row's gradient over all ranks before handing a rank its own rows;
    together with DDP's mean over ranks the parameters' gradient equals that of one process.
    """
    everyone: Tensor = _Gather.apply(rows) if is_distributed() else rows
    return everyone


def gather_labelled(rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return every rank's rows, shape (N, D), as `gather` does, and their labels: one collective.

    Labels, up to 2^24, travel as a column of the rows.
    """
    if not is_distributed():
        return rows, labels
    wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
    everyone = gather(torch.cat([wide, labels[:, None].to(wide)], dim=1))
    return everyone[:, :-1], everyone[:, -1].detach().long()


def sum_with_gradient(values: Tensor) -> Tensor:
    """Return the elementwise sum over ranks; backward sums the gradients over ranks as well."""
    total: Tensor = _Sum.apply(values) if is_distributed() else values
    return total


def sum_over_ranks(values: Tensor) -> Tensor:
    """Return the elementwise sum over ranks, without gradient, on every rank."""
    if not is_distributed():
        return values.detach()
    total = values.detach().clone()
    dist.all_reduce(total)
    return total


def mean_over_ranks(values: Tensor) -> Tensor:
    """Return the elementwise mean over ranks, without gradient, on every rank."""
    return sum_over_ranks(values) / world_size()


def broadcast_from_first(values: Tensor) -> Tensor:
    """Return rank 0's values on every rank; shape and dtype must agree beforehand."""
    shared = values.detach().clone()
    if is_distributed():
        dist.broadcast(shared, src=0)
    return shared


def gather_objects(values: list[Any]) -> list[Any]:
    """Concatenate every rank's list of plain values, in rank order, on every rank."""
    if not is_distributed():
        return values
    everyone: list[list[Any]] = [[] for _ in range(world_size())]
    dist.all_gather_object(everyone, values)
    return [value for each in everyone for value in each]


def draw_rows(sample: Callable[[int], Tensor], rows: int) -> Tensor:
    """Return this rank's `rows` rows of ``sample(rows of all ranks together)``."""
    ranks, drawn = world_size(), sample(rows * world_size())
    if ranks == 1:
        return drawn
    sizes = _stacked or (rows,)
    parts = zip(drawn.split_with_sizes([size * ranks for size in sizes]), sizes, strict=True)
    mine = [part[rank() * size :][:size] for part, size in parts]
    return mine[0] if len(mine) == 1 else torch.cat(mine)


@contextmanager
def stacked(sizes: Sequence[int]) -> Iterator[None]:
    """Let `draw_rows` draw for batches of so many rows a rank, one after the other."""
    global _stacked
    before, _stacked = _stacked, tuple(sizes)
    try:
        yield
    finally:
        _stacked = before
