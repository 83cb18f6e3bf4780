"""One batch norm per kind of image."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

ModuleT = TypeVar("ModuleT", bound=nn.Module)


class SplitBatchNorm(nn.Module):
    """Several batch norms of which one is in use: statistics and affine parameters apart [1]_.

    Parameters
    ----------
    layer : batch norm
        What every branch starts as a copy of.
    names : sequence of str
        Of the branches; the first is in use until `use_branch` says otherwise.

    References
    ----------
    .. [1] Jiang et al. 2020, arXiv:2010.13337, Sec. 3.2 (dual stream); after Xie et al. 2020,
       arXiv:1911.09665.
    """

    def __init__(self, layer: _BatchNorm, names: Sequence[str]) -> None:
        super().__init__()
        if not names or len(set(names)) < len(names):
            raise ValueError(f"Branches need different names, at least one, got {list(names)}.")
        self.branches = nn.ModuleDict({name: copy.deepcopy(layer) for name in names})
        self.active = names[0]

    def forward(self, rows: Tensor) -> Tensor:
        """Return what the branch in use makes of (N, C, ...)."""
        normal: Tensor = self.branches[self.active](rows)
        return normal


def split(module: ModuleT, names: Sequence[str]) -> ModuleT:
    """Replace every batch norm by one branch per name; parts are replaced in place."""
    if isinstance(module, _BatchNorm):
        return cast(ModuleT, SplitBatchNorm(module, names))
    if not isinstance(module, SplitBatchNorm):
        for name, child in module.named_children():
            setattr(module, name, split(child, names))
    return module


@contextmanager
def use_branch(module: nn.Module, name: str) -> Iterator[None]:
    """Send everything through the branch `name`, and through the one before afterwards."""
    before = [(part, part.active) for part in module.modules() if isinstance(part, SplitBatchNorm)]
    for part, _ in before:
        if name not in part.branches:
            raise ValueError(f"A branch is one of {sorted(part.branches)}, got '{name}'.")
    for part, _ in before:
        part.active = name
    try:
        yield
    finally:
        for part, active in before:
            part.active = active


def keep_branch(module: ModuleT, name: str) -> ModuleT:
    """Put the batch norm of branch `name` where the split ones are, for use or for export."""
    if isinstance(module, SplitBatchNorm):
        return cast(ModuleT, module.branches[name])
    for part_name, child in module.named_children():
        setattr(module, part_name, keep_branch(child, name))
    return module
