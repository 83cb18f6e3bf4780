"""k-means: faiss on CPUs, torch on GPUs and where faiss is not installed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from trainables import distributed
from trainables.memory import send

Backend = Literal["auto", "faiss", "torch"]

MAX_SCORES = 2**26  # entries of the distance matrix that exist at once: 256 MiB


@dataclass(frozen=True)
class Clusters:
    """A partition.

    Parameters
    ----------
    assignments : Tensor, shape (N,), int64
        Nearest centroid of each row, by squared distance.
    centroids : Tensor, shape (K, D), float32
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
    """Partition rows by Lloyd's algorithm [1]_, from random rows as first centroids.

    Parameters
    ----------
    features : Tensor, shape (N, D)
        The same on every rank, as `trainables.features.encode` leaves them. Under several ranks
        rank 0 asks faiss and shares the answer, whereas torch's work is divided: each rank looks
        at its own slice of the rows. All ranks return the same.
    num_clusters : int
        K, at most N.
    seed : int
        Of the choice of the first centroids; no other random stream is touched.
    iterations : int
    backend : {"auto", "faiss", "torch"}
        ``auto`` is faiss for features on the CPU, if it can be imported: packaged for CPUs, it
        would take seconds for what a GPU does in milliseconds. The two draw different first
        centroids.

    Raises
    ------
    ValueError
        If there are more clusters than rows, or fewer than one.

    References
    ----------
    .. [1] Lloyd 1982, "Least Squares Quantization in PCM".
    """
    if not 1 <= num_clusters <= len(features):
        raise ValueError(
            f"num_clusters must be between 1 and the {len(features)} rows clustered, "
            f"got {num_clusters}."
        )
    if backend not in ("auto", "faiss", "torch"):
        raise ValueError(f"backend must be auto, faiss or torch, got '{backend}'.")
    features = features.detach().float()
    on_cpu = features.device.type == "cpu"
    wants_faiss = backend == "faiss" or (backend == "auto" and on_cpu and _has_faiss())
    # faiss refuses NaN. A network that has diverged shall be found out by its loss.
    if wants_faiss and bool(features.isfinite().all()):
        return _faiss(features, num_clusters, seed, iterations)
    return _torch(features, num_clusters, seed, iterations)


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
        centroids = torch.from_numpy(model.index.reconstruct_n(0, num_clusters))
        assignments = torch.from_numpy(model.index.search(rows, 1)[1][:, 0].copy())
    device = features.device
    return Clusters(
        distributed.broadcast_from_first(assignments.to(device)),
        distributed.broadcast_from_first(centroids.to(device)),
    )


def _torch(features: Tensor, num_clusters: int, seed: int, iterations: int) -> Clusters:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randperm(len(features), generator=generator)[:num_clusters]
    centroids = features[send(first, features.device)]
    for _ in range(iterations):
        centroids = lloyd_step(features, centroids)
    return Clusters(nearest(features, centroids)[0], centroids)


def lloyd_step(features: Tensor, centroids: Tensor) -> Tensor:
    """Return each cluster's mean; empty ones move to the rows farthest from their centroids."""
    # Sums in double precision round to the same centroids however many ranks share the work.
    sums = torch.zeros_like(centroids, dtype=torch.float64)
    counts = sums.new_zeros(len(centroids))
    distances = []
    for rows, assignments, row_distances in _own_chunks(features, centroids):
        sums.index_add_(0, assignments, rows.double())
        # Not bincount, which waits for a GPU's largest value.
        counts.index_add_(0, assignments, counts.new_ones(len(rows)))
        distances.append(row_distances)
    sums, counts = distributed.sum_over_ranks(sums), distributed.sum_over_ranks(counts)
    means = (sums / counts.clamp(min=1).unsqueeze(1)).to(centroids.dtype)
    # How many are empty only the device knows: each has its turn among the farthest rows.
    empty = counts == 0
    everyones = _of_all_ranks(distances, len(features))
    farthest = everyones.sort(descending=True, stable=True).indices
    turn = (empty.cumsum(dim=0) - 1).clamp(min=0)
    return torch.where(empty.unsqueeze(1), features[farthest[turn]], means)


def nearest(features: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Return every row's nearest centroid and the squared distance to it, shapes (N,)."""
    chunks = list(_own_chunks(features, centroids))
    return (
        _of_all_ranks([chunk[1] for chunk in chunks], len(features)),
        _of_all_ranks([chunk[2] for chunk in chunks], len(features)),
    )


def _own_chunks(features: Tensor, centroids: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield this rank's rows, their nearest centroids and squared distances, piece by piece."""
    share = -(-len(features) // distributed.world_size())
    own = features[distributed.rank() * share :][:share]
    lengths = (centroids**2).sum(dim=1)
    for rows in torch.split(own, max(1, MAX_SCORES // len(centroids))):
        best = torch.addmm(lengths, rows, centroids.T, alpha=-2).min(dim=1)
        yield rows, best.indices, (best.values + (rows**2).sum(dim=1)).clamp(min=0)


def _of_all_ranks(chunks: Sequence[Tensor], length: int) -> Tensor:
    """Return what every rank found of its rows, in the order of all `length` rows."""
    own = torch.cat(list(chunks))
    missing = -(-length // distributed.world_size()) - len(own)
    return distributed.gather(torch.cat([own, own.new_zeros(missing)]))[:length]
