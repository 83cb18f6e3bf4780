"""Memory that tensors leave, are sent from, or share."""

import ctypes
import functools
import sys

import torch
from torch import Tensor

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
LARGEST_KEPT = 2**30


@functools.cache
def keep_freed_memory() -> bool:
    """Have this process keep what large tensors leave; return whether that can be had.

    By default glibc hands every block above 32 MiB back to the system and takes it anew, page by
    page, for the next activation of that size: on CPU a third of a training step (SimCLR, small
    network, 256 views: 205 ms before, 122 ms after). The process grows to its largest step and
    stays there, as it would on a GPU.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # a C library without it, such as musl
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT) and mallopt(M_TRIM_THRESHOLD, 2**31 - 1))


@functools.cache
def constant(
    values: tuple[float, ...], device: torch.device, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Return numbers on a device, shape (len(values),), made there once and for all."""
    return torch.stack([torch.full((), value, device=device, dtype=dtype) for value in values])


def ones_like(values: Tensor) -> Tensor:
    """Return ones that nobody may write to, without a kernel."""
    return constant((1.0,), values.device, values.dtype)[0].expand(values.shape)


def send(values: Tensor, device: torch.device) -> Tensor:
    """Copy to a device without waiting for it, as a copy from memory that can be paged out does."""
    pinned = values.pin_memory() if device.type == "cuda" else values
    return pinned.to(device, non_blocking=True)
