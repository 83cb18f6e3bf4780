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
    clip_lr : bool
        Divide lambda by lr and cap it at 1, as solo-learn does: a scaled tensor then moves by the
        smaller of lambda and lr times the gradient.
    rate_in_momentum : bool
        Keep in v each gradient times the lr of its time, :math:`v \leftarrow m v + \mathrm{lr}\, g`
        and :math:`w \leftarrow w - v`, as in ACL's and SuNCEt's code; the same at a constant lr.

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
        clip_lr: bool = False,
        rate_in_momentum: bool = False,
    ) -> None:
        if lr < 0 or weight_decay < 0:
            raise ValueError(
                f"optimizer.lr and optimizer.weight_decay must be at least 0, got {lr} and "
                f"{weight_decay}."
            )
        if not 0 <= momentum < 1:
            raise ValueError(f"optimizer.momentum must be in [0, 1), got {momentum}.")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "eps": eps,
            "exclude_1d": exclude_1d,
            "clip_lr": clip_lr,
            "rate_in_momentum": rate_in_momentum,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take a state back, also one of a version without the newer options."""
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("clip_lr", False)
            group.setdefault("rate_in_momentum", False)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; a closure, if given, is evaluated first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            self._move([w for w in weights if _is_excluded(w, group)], group, scaled=False)
            self._move([w for w in weights if not _is_excluded(w, group)], group, scaled=True)
        return loss

    def _move(self, weights: list[Tensor], group: dict[str, Any], *, scaled: bool) -> None:
        if not weights:
            return
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        velocities = [self._velocity(weight) for weight in weights]
        torch._foreach_mul_(velocities, group["momentum"])
        inside, outside = (group["lr"], 1.0) if group["rate_in_momentum"] else (1.0, group["lr"])
        if scaled:
            # Two additions in place are half the memory traffic of first scaling a copy.
            trusts = _trusts(weights, gradients, group) * inside
            decays = trusts * group["weight_decay"]
            torch._foreach_addcmul_(velocities, gradients, list(trusts.unbind()))
            torch._foreach_addcmul_(velocities, weights, list(decays.unbind()))
        else:
            torch._foreach_add_(velocities, gradients, alpha=inside)
        torch._foreach_add_(weights, velocities, alpha=-outside)

    def _velocity(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        velocity: Tensor = state["momentum_buffer"]
        return velocity


def _is_excluded(weight: Tensor, group: dict[str, Any]) -> bool:
    return bool(group["exclude_1d"]) and weight.dim() <= 1


def _trusts(weights: list[Tensor], gradients: list[Tensor], group: dict[str, Any]) -> Tensor:
    """Return lambda of every tensor."""
    lengths = torch.stack(torch._foreach_norm(weights))
    slopes = torch.stack(torch._foreach_norm(gradients))
    trusts = group["trust"] * lengths / (slopes + group["weight_decay"] * lengths + group["eps"])
    if group["clip_lr"]:  # at a rate of 0, where nothing moves, the ratio is infinite
        trusts = (trusts / group["lr"]).clamp(max=1.0)
    # A tensor that is all zero, or sees no gradient, moves as in plain SGD (torchlars too).
    return torch.where((lengths > 0) & (slopes > 0), trusts, 1.0)
