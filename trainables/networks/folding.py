"""Networks whose weights stand still, such as those under attack, without their batch norms."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.modes import Mode, in_mode
from trainables.networks.split_batch_norm import SplitBatchNorm

Linear = nn.Conv2d | nn.Linear
Pair = tuple[Linear, _BatchNorm]
_KEPT: WeakKeyDictionary[_BatchNorm, tuple[Tensor, Tensor]] = WeakKeyDictionary()
NUMBERED = "torchvision.models.resnet"  # in its modules what ``conv1`` returns goes to ``bn1``


@contextmanager
def under_attack(network: nn.Module, mode: Mode) -> Iterator[None]:
    """Put a network in a mode and fold it; its weights get no gradient within."""
    with in_mode(network, mode), folded(network):
        yield


@contextmanager
def folded(network: nn.Module, *, planar: bool = False) -> Iterator[None]:
    r"""Multiply batch norms in eval mode into the layers before them, and undo it afterwards.

    .. math:: \gamma (w x + b - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta
        = (s w) x + (s (b - \mu) + \beta), \qquad s = \gamma / \sqrt{\sigma^2 + \epsilon}

    The network returns the same but for rounding, and the gradient of its input too; gradients of
    the weights are lost. What was compiled would compute them whether or not they are asked for,
    and finds products where they were the last time, as CUDA graphs need.

    Parameters
    ----------
    network : nn.Module
        torchvision's ResNets and ``nn.Sequential`` are known; other parts stay as they are.
        A layer belongs to one batch norm only.
    planar : bool
        Have products in NCHW, whatever the layers' own memory format.
    """
    pairs = list(_pairs(network))
    before = [(layer, layer.weight, layer.bias) for layer, _ in pairs]
    is_compiled = any(part._compiled_call_impl is not None for part in network.modules())
    trained = [one for one in network.parameters() if is_compiled and one.requires_grad]
    try:
        products = list(_products(pairs))
        if planar:
            # A filter of one channel is contiguous in either format; its strides must tell.
            layout = torch.contiguous_format
            products = [(weight.clone(memory_format=layout), bias) for weight, bias in products]
        if is_compiled:
            products = [
                _in_place(norm, two) for (_, norm), two in zip(pairs, products, strict=True)
            ]
        for parameter in trained:
            parameter.requires_grad = False
        for (layer, norm), (weight, bias) in zip(pairs, products, strict=True):
            _weights(layer).update(weight=weight, bias=bias)
            vars(norm)["forward"] = _same
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad = True
        for layer, own_weight, own_bias in before:
            _weights(layer).update(weight=own_weight, bias=own_bias)
        for _, norm in pairs:
            vars(norm).pop("forward", None)


def _pairs(network: nn.Module) -> Iterator[Pair]:
    for layer, following in _neighbours(network):
        norm = following
        if isinstance(following, SplitBatchNorm):
            norm = following.branches[following.active]
        if not isinstance(layer, Linear) or not isinstance(norm, _BatchNorm):
            continue
        is_fixed = not norm.training and norm.running_mean is not None
        if is_fixed and "forward" not in vars(norm):  # folded already
            yield layer, norm


def _neighbours(network: nn.Module) -> Iterator[tuple[nn.Module, nn.Module]]:
    for part in network.modules():
        if isinstance(part, nn.Sequential):
            yield from pairwise(part)
        elif type(part).__module__ == NUMBERED:
            parts = dict(part.named_children())
            for name in parts:
                if name.startswith("conv"):
                    yield parts[name], parts[name.replace("conv", "bn")]


def _weights(layer: Linear) -> dict[str, Any]:
    return cast(dict[str, Any], layer._parameters)


@torch.no_grad()
def _products(pairs: list[Pair]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield each pair's weight and bias; what can be is one operation for all of them."""
    if not pairs:
        return
    statistics = [_statistics(layer, norm) for layer, norm in pairs]
    means, variances, gains, shifts = (list(column) for column in zip(*statistics, strict=True))
    scales = torch._foreach_add(variances, [norm.eps for _, norm in pairs])
    torch._foreach_rsqrt_(scales)
    torch._foreach_mul_(scales, gains)
    biases = torch._foreach_addcmul(shifts, scales, means, value=-1)
    for (layer, _), scale, bias in zip(pairs, scales, biases, strict=True):
        yield layer.weight * scale.view(-1, *[1] * (layer.weight.dim() - 1)), bias


def _in_place(norm: _BatchNorm, products: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Put products where those of the same batch norm were before."""
    kept = _KEPT.get(norm)
    if kept is None or kept[0].device != products[0].device or kept[0].dtype != products[0].dtype:
        kept = _KEPT[norm] = products
    for there, product in zip(kept, products, strict=True):
        there.copy_(product)
    return kept


def _statistics(layer: Linear, norm: _BatchNorm) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the mean of what the layer returns without bias, the variance, gamma and beta."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean = norm.running_mean if layer.bias is None else norm.running_mean - layer.bias
    if norm.affine:
        return mean, norm.running_var, norm.weight, norm.bias
    return mean, norm.running_var, torch.ones_like(mean), torch.zeros_like(mean)


def _same(rows: Tensor) -> Tensor:
    return rows
