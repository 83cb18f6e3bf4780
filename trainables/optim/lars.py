"""Layer-wise adaptive rate scaling."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer


class LARS(Optimizer):
    r"""SGD with momentum whose every tensor moves in proportion to its own length [1]_.

    .. math::
        g &\leftarrow \lambda (\nabla + d\, w), \quad
        \lambda = \eta \|w\| / (\|\nabla\| + d \|w\| + \epsilon) \\
        v &\leftarrow m v + g, \quad w \leftarrow w - \mathrm{lr}\, v

    Parameters
    ----------
    params : iterable
    lr : float
    momentum : float
        m in [0, 1).
    weight_decay : float
        d; part of the scaled gradient.
    trust : float
        eta.
    eps : float
    exclude_1d : bool
        Leave biases and batch norm (one dimension or none) without decay and without scaling, as
        SimCLR and SuNCEt do; RoCL scales everything.

    References
    ----------
    .. [1] You, Gitman & Ginsburg 2017, arXiv:1708.03888, Algorithm 1.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: float,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        trust: float = 1e-3,
        eps: float = 1e-8,
        exclude_1d: bool = False,
    ) -> None:
        if lr < 0 or weight_decay < 0:
            raise ValueError(
                f"optimizer.lr and optimizer.weight_decay must be at least 0, got {lr} and "
                f"{weight_decay}."
            )
        if not 0 <= momentum < 1:
            raise ValueError(f"optimizer.momentum must lie in [0, 1), got {momentum}.")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "eps": eps,
            "exclude_1d": exclude_1d,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; a closure, if given, is evaluated first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            plain = [w for w in weights if group["exclude_1d"] and w.dim() <= 1]
            scaled = [w for w in weights if not group["exclude_1d"] or w.dim() > 1]
            self._move(plain, _gradients(plain), group)
            self._move(scaled, _scaled_gradients(scaled, group), group)
        return loss

    def _move(self, weights: list[Tensor], steps: list[Tensor], group: dict[str, Any]) -> None:
        if not weights:
            return
        velocities = []
        for weight in weights:
            state = self.state[weight]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(weight)
            velocities.append(state["momentum_buffer"])
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, steps)
        torch._foreach_add_(weights, velocities, alpha=-group["lr"])


def _gradients(weights: list[Tensor]) -> list[Tensor]:
    return [weight.grad for weight in weights if weight.grad is not None]


def _scaled_gradients(weights: list[Tensor], group: dict[str, Any]) -> list[Tensor]:
    if not weights:
        return []
    decay, gradients = group["weight_decay"], _gradients(weights)
    lengths = torch.stack(torch._foreach_norm(weights))
    slopes = torch.stack(torch._foreach_norm(gradients))
    trusts = group["trust"] * lengths / (slopes + decay * lengths + group["eps"])
    # A tensor that is all zero, or sees no gradient, moves as in plain SGD (torchlars too).
    trusts = torch.where((lengths > 0) & (slopes > 0), trusts, 1.0)
    steps = list(torch._foreach_add(gradients, weights, alpha=decay))
    torch._foreach_mul_(steps, list(trusts.unbind()))
    return steps
