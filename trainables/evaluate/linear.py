"""A linear classifier on frozen features, fitted to its optimum."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def fit_linear(
    features: Tensor, labels: Tensor, *, num_classes: int, penalty: float, max_iterations: int = 100
) -> nn.Linear:
    r"""Return multinomial logistic regression by L-BFGS on all features at once.

    The problem is convex and has one optimum, so the answer depends on no seed, batch size or
    learning rate:

    .. math:: \min_{W,b} \; \mathrm{CE}(Wx + b, y) + \tfrac{\lambda}{2} \|W\|^2

    with features x standardised; the standardisation is folded into the layer returned.

    Parameters
    ----------
    features : Tensor, shape (N, D)
    labels : Tensor, shape (N,), int64
    num_classes : int
    penalty : float
        lambda > 0.
    max_iterations : int
    """
    mean, std = features.mean(dim=0), features.std(dim=0).clamp(min=1e-6)
    standard = (features - mean) / std
    weight = torch.zeros(num_classes, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(num_classes, device=features.device, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=max_iterations, history_size=10, line_search_fn="strong_wolfe"
    )

    def objective() -> Tensor:
        solver.zero_grad()
        loss = F.cross_entropy(F.linear(standard, weight, bias), labels)
        loss = loss + penalty / 2 * (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        solver.step(objective)  # type: ignore[no-untyped-call]
    layer = nn.Linear(features.shape[1], num_classes, device=features.device)
    with torch.no_grad():
        layer.weight.copy_(weight / std)
        layer.bias.copy_(bias - layer.weight @ mean)
    return layer.requires_grad_(False)
