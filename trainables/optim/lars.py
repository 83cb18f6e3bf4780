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
            if weights:
                self._move(weights, group)
        return loss

    def _move(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        steps = [weight.grad.clone() for weight in weights if weight.grad is not None]
        scaled = [
            index
            for index, weight in enumerate(weights)
            if weight.dim() > 1 or not group["exclude_1d"]
        ]
        if scaled:
            self._scale([weights[i] for i in scaled], [steps[i] for i in scaled], group)
        velocities = []
        for weight in weights:
            state = self.state[weight]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(weight)
            velocities.append(state["momentum_buffer"])
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, steps)
        torch._foreach_add_(weights, velocities, alpha=-group["lr"])

    @staticmethod
    def _scale(weights: list[Tensor], steps: list[Tensor], group: dict[str, Any]) -> None:
        decay = group["weight_decay"]
        lengths = torch.stack(torch._foreach_norm(weights))
        slopes = torch.stack(torch._foreach_norm(steps))
        trusts = group["trust"] * lengths / (slopes + decay * lengths + group["eps"])
        # A tensor that is all zero, or sees no gradient, moves as in plain SGD.
        trusts = torch.where((lengths > 0) & (slopes > 0), trusts, 1.0)
        torch._foreach_add_(steps, weights, alpha=decay)
        torch._foreach_mul_(steps, list(trusts.unbind()))
