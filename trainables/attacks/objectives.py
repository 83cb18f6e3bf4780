"""What an evaluation attack raises: per-example functions of the logits."""

from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.attacks.rows import normal


class Objective(Protocol):
    """Higher is worse for the classifier."""

    def __call__(
        self, logits: Tensor, labels: Tensor, targets: Tensor | None, delta: Tensor
    ) -> Tensor:
        """Return a value per image, shape (N,).

        Parameters
        ----------
        logits : Tensor, shape (N, Y)
        labels : Tensor, shape (N,), int64
        targets : Tensor, shape (N,), int64, optional
            Classes to be mistaken for; without them any wrong class will do.
        delta : Tensor, shape (N, C, H, W)
            The perturbation that led to the logits, in their graph.
        """


def margin(logits: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the likeliest wrong class leads, shape (N,); below 0 the image holds."""
    logits = _at_least_float32(logits)
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.amax(dim=1) - _of_class(logits, labels)


@dataclass(frozen=True)
class CrossEntropy:
    """Cross-entropy of the label, or minus that of the target."""

    def __call__(
        self, logits: Tensor, labels: Tensor, targets: Tensor | None, delta: Tensor
    ) -> Tensor:
        """Return it in nats."""
        logits = _at_least_float32(logits)
        if targets is None:
            return F.cross_entropy(logits, labels, reduction="none")
        return -F.cross_entropy(logits, targets, reduction="none")


@dataclass(frozen=True)
class Margin:
    """Lead of the likeliest wrong class, or of the target, over the label [1]_.

    References
    ----------
    .. [1] Carlini & Wagner 2017, arXiv:1608.04644, Sec. V-A, f6 at kappa = 0.
    """

    def __call__(
        self, logits: Tensor, labels: Tensor, targets: Tensor | None, delta: Tensor
    ) -> Tensor:
        """Return it in units of logits."""
        if targets is None:
            return margin(logits, labels)
        logits = _at_least_float32(logits)
        return _of_class(logits, targets) - _of_class(logits, labels)


@dataclass(frozen=True)
class DLR:
    """Difference of logits ratio: the margin over the range of the leading logits [1]_.

    It ignores the scale of the logits, which can starve cross-entropy of gradient. It needs a
    third class, and a fourth for targets; with fewer, the last there is stands in for them, and
    with two classes it is the margin, because their ratio is constant.

    References
    ----------
    .. [1] Croce & Hein 2020, arXiv:2003.01690.
    """

    def __call__(
        self, logits: Tensor, labels: Tensor, targets: Tensor | None, delta: Tensor
    ) -> Tensor:
        """Return the ratio, at most 1."""
        lead = Margin()(logits, labels, targets, delta)
        ranked = _at_least_float32(logits).sort(dim=1, descending=True).values
        classes = ranked.shape[1]
        if classes == 2:
            return lead
        low = ranked[:, 2]
        if targets is not None:
            low = (low + ranked[:, min(3, classes - 1)]) / 2
        return lead / (ranked[:, 0] - low + 1e-12)


@dataclass(frozen=True)
class Jitter:
    r"""Distance of noisy, rescaled probabilities from the label's one-hot vector [1]_.

    .. math:: \| \mathrm{softmax}(\alpha z / \|z\|_\infty) + \mathcal{N}(0, \sigma) - y \|^2 / Y

    divided by :math:`\|\delta\|_\infty` once an image is misclassified; minus the distance from
    the target's vector if there is one.

    Parameters
    ----------
    scale : float
        alpha.
    noise : float
        sigma.

    References
    ----------
    .. [1] Schwinn et al. 2021, arXiv:2105.10304.
    """

    scale: float = 10.0
    noise: float = 0.1

    def __call__(
        self, logits: Tensor, labels: Tensor, targets: Tensor | None, delta: Tensor
    ) -> Tensor:
        """Return the distance."""
        logits = _at_least_float32(logits)
        largest = logits.abs().amax(dim=1, keepdim=True)
        blurred = (self.scale * logits / largest).softmax(dim=1)
        if self.noise > 0:
            blurred = blurred + self.noise * normal(blurred)
        aim = F.one_hot(labels if targets is None else targets, logits.shape[1])
        distance = (blurred - aim).square().mean(dim=1)
        size = delta.abs().amax(dim=(1, 2, 3))
        shrinks = (logits.argmax(dim=1) != labels) & (size > 0)
        value = distance / torch.where(shrinks, size, 1.0)
        return value if targets is None else -value


def _at_least_float32(logits: Tensor) -> Tensor:
    return logits if logits.dtype == torch.float64 else logits.float()


def _of_class(logits: Tensor, classes: Tensor) -> Tensor:
    return logits.gather(1, classes[:, None]).squeeze(1)
