"""k-means: faiss where it is installed, torch on the device otherwise."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from trainables import distributed

Backend = Literal["auto", "faiss", "torch"]


@dataclass(frozen=True)
class Clusters:
    """A partition.

    Parameters
    ----------
    assignments : Tensor, shape (N,), int64
        Nearest centroid of each row, by squared distance.
    centroids : Tensor, shape (K, D)
    """

    assignments: Tensor
    centroids: Tensor


def kmeans(
    features: Tensor,
    num_clusters: int,
    *,
    seed: int,
    iterations: int = 20,
    backend: Backend = "auto",
) -> Clusters:
    """Partition all ranks' features.

    Parameters
    ----------
    features : Tensor, shape (N, D)
        The same on every rank: every rank's part, gathered. Rank 0's faiss answer is shared;
        torch's assignment step is divided among the ranks.
    num_clusters : int
        K, at most N.
    seed : int
        Of the choice of the first centroids.
    iterations : int
        Lloyd iterations.
    backend : {"auto", "faiss", "torch"}

    Raises
    ------
    ValueError
        If there are more clusters than rows, or fewer than one.
    """
    if not 1 <= num_clusters <= len(features):
        raise ValueError(
            f"method.num_clusters must lie between 1 and the {len(features)} images clustered, "
            f"got {num_clusters}."
        )
    features = features.detach().float()
    if backend == "faiss" or (backend == "auto" and _has_faiss()):
        return _faiss(features, num_clusters, seed, iterations)
    return _lloyd(features, num_clusters, seed, iterations)


def _has_faiss() -> bool:
    try:
        import faiss  # noqa: F401
    except ImportError:
        return False
    return True


def _faiss(features: Tensor, num_clusters: int, seed: int, iterations: int) -> Clusters:
    import faiss

    width = features.shape[1]
    assignments = torch.empty(len(features), dtype=torch.int64)
    centroids = torch.empty(num_clusters, width)
    if distributed.rank() == 0:
        faiss.omp_set_num_threads(torch.get_num_threads())
        model = faiss.Kmeans(
            width,
            num_clusters,
            niter=iterations,
            nredo=1,
            seed=seed % 2**31,
            # faiss would train on 256 rows per centroid and warn below 39.
            max_points_per_centroid=len(features),
            min_points_per_centroid=1,
        )
        rows = features.cpu().numpy()
        model.train(rows)
        centroids = torch.from_numpy(model.centroids.copy())
        assignments = torch.from_numpy(model.index.search(rows, 1)[1][:, 0].copy())
    device = features.device
    return Clusters(
        distributed.broadcast_from_first(assignments.to(device)),
        distributed.broadcast_from_first(centroids.to(device)),
    )


def _lloyd(features: Tensor, num_clusters: int, seed: int, iterations: int) -> Clusters:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randperm(len(features), generator=generator)[:num_clusters]
    centroids = features[first.to(features.device)]
    for _ in range(iterations):
        centroids = lloyd_step(features, centroids)
    return Clusters(_nearest(features, centroids)[0], centroids)


def lloyd_step(features: Tensor, centroids: Tensor) -> Tensor:
    """Return each cluster's mean; an empty one moves to the row farthest from its centroid."""
    assignments, distances = _nearest(features, centroids)
    sums = torch.zeros_like(centroids).index_add_(0, assignments, features)
    counts = torch.bincount(assignments, minlength=len(centroids))
    means = sums / counts.clamp(min=1).unsqueeze(1)
    empty = (counts == 0).nonzero().flatten()
    means[empty] = features[distances.topk(len(empty)).indices]
    return means


def _nearest(features: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Return the nearest centroid of every row and the squared distance to it.

    Each rank looks at its own slice of the rows; all end with everything.
    """
    ranks = distributed.world_size()
    size = -(-len(features) // ranks)
    mine = features[distributed.rank() * size :][:size]
    padded = torch.cat([mine, mine.new_zeros(size - len(mine), features.shape[1])])
    lengths = (centroids**2).sum(dim=1)
    nearest, squared = [], []
    for chunk in padded.split(16_384):  # bounds the distance matrix
        scores = lengths - 2 * chunk @ centroids.T
        best = scores.min(dim=1)
        nearest.append(best.indices)
        squared.append(best.values + (chunk**2).sum(dim=1))
    with torch.no_grad():
        assignments = distributed.gather(torch.cat(nearest))[: len(features)]
        distances = distributed.gather(torch.cat(squared))[: len(features)]
    return assignments, distances
