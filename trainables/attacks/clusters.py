"""SwARo's cluster attack: which images are attacked towards or away from which clusters."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ClusterAttack:
    """When the cluster attack is made, and on which clusters.

    The paper says neither how often it clusters nor on what; clean images, encoder features and
    once an epoch (as DeepCluster does) are our choice.

    Parameters
    ----------
    num_clusters : int
        K; 1000 for CIFAR-10 and 5000 for CIFAR-100.
    probability : float
        p, of a batch being attacked so once the warm-up is over; 0.75.
    warmup : float
        Share of training with RoCL's attack only; 100 of 2000 epochs.
    every : int
        Epochs between two clusterings.
    normalise : bool
        Cluster directions of features instead of features.
    seed : int
        Of the clustering, the draws of p and the permutations, none of which moves the random
        stream of the data.
    """

    num_clusters: int
    probability: float
    warmup: float
    every: int = 1
    normalise: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ValueError(f"clusters.probability must be in [0, 1], got {self.probability}.")
        if not 0 <= self.warmup <= 1:
            raise ValueError(f"clusters.warmup is a share of training, got {self.warmup}.")
        if self.every < 1 or self.num_clusters < 1:
            raise ValueError(
                f"clusters.every and clusters.num_clusters must be at least 1, got {self.every} "
                f"and {self.num_clusters}."
            )

    def check(self, num_images: int) -> None:
        """Refuse to make more clusters than there are images."""
        if self.num_clusters > num_images:
            raise ValueError(
                f"clusters.num_clusters must be at most the number of training images, "
                f"{num_images}, got {self.num_clusters}."
            )

    def first_epoch(self, max_epochs: int) -> int:
        """Return the first epoch after the warm-up; none if p is 0."""
        return math.ceil(self.warmup * max_epochs) if self.probability > 0 else max_epochs

    def draw(self, labels: Tensor, step: int) -> tuple[Tensor | None, Tensor | None]:
        """Draw a batch's permutation sigma and sense beta, or with probability 1 - p neither.

        Parameters
        ----------
        labels : Tensor, shape (N,), int64
            Pseudo-labels of the batch.
        step : int
            Whose random stream is used; the same on every rank.

        Returns
        -------
        permutation : Tensor, shape (N,), int64
        sense : Tensor, shape (N,)
            +1 where image and target share a cluster, else -1.
        """
        seed = (self.seed * 1_000_003 + step) % 2**63
        stream = torch.Generator().manual_seed(seed)
        if torch.rand((), generator=stream) >= self.probability:
            return None, None
        if labels.is_cuda:  # drawn where it is used: a copy would wait for the GPU
            stream = torch.Generator(labels.device).manual_seed(seed)
        permutation = torch.randperm(len(labels), generator=stream, device=labels.device)
        return permutation, torch.where(labels == labels[permutation], 1.0, -1.0)
