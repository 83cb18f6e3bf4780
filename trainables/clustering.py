"""k-means where the features are: by faiss, or by torch where faiss is not or would copy them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from trainables import distributed
from trainables.memory import send

Backend = Literal["auto", "faiss", "torch"]
# Rows (M, D) and centroids (K, D) to each row's nearest one and the squared distance, shapes (M,).
Search = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]

MAX_SCORES = 2**26  # entries of the distance matrix that exist at once: 256 MiB
# Compute capabilities of GPUs on which PyPI's faiss-gpu-cu12 1.14 runs: it holds machine code of
# 7.0 and 8.0 and nothing to compile, and on any other it ends the process.
FAISS_KNOWS = (7, 0), (8, 9)


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
        each looks at its own slice of the rows, and all return the same; but on the CPU rank 0
        asks faiss and shares the answer.
    num_clusters : int
        K, at most N.
    seed : int
        Of the choice of the first centroids; no other random stream is touched.
    iterations : int
    backend : {"auto", "faiss", "torch"}
        ``auto`` is what `faster` says. On the CPU faiss draws other first centroids than torch;
        on a GPU it only finds the nearest ones, and nothing is copied to the host, unless faiss
        is asked for and cannot use the GPU.

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
    by_faiss = (faster(features.device) if backend == "auto" else backend) == "faiss"
    if by_faiss and features.is_cuda and _gpus_of_faiss():
        return _lloyd(features, num_clusters, seed, iterations, _faiss_on_gpu())
    # faiss refuses NaN. A network that has diverged shall be found out by its loss.
    if by_faiss and bool(features.isfinite().all()):
        return _faiss_on_cpu(features, num_clusters, seed, iterations)
    return _lloyd(features, num_clusters, seed, iterations, by_torch)


def faster(device: torch.device) -> Literal["faiss", "torch"]:
    """Return what clusters features of a device sooner.

    On two CPU cores faiss put 10,000 rows of 512 in 1,000 clusters in 2.2 s, torch in 17; one
    packaged for CPUs would take seconds for what a GPU does in milliseconds. On a GPU nobody has
    measured: both multiply matrices by cuBLAS, and faiss takes each tile's minima by kernels of
    its own, while the next is multiplied.
    """
    if device.type == "cpu":
        return "torch" if _gpus_of_faiss() is None else "faiss"
    if device.type != "cuda" or not _gpus_of_faiss():
        return "torch"
    oldest, newest = FAISS_KNOWS
    return "faiss" if oldest <= torch.cuda.get_device_capability(device) <= newest else "torch"


def _gpus_of_faiss() -> int | None:
    """Return how many GPUs faiss can use, None where it is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    return int(faiss.get_num_gpus())


def _faiss_on_cpu(features: Tensor, num_clusters: int, seed: int, iterations: int) -> Clusters:
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
        # An array, but a tensor once faiss.contrib.torch_utils is imported.
        centroids = torch.as_tensor(model.index.reconstruct_n(0, num_clusters))
        assignments = torch.from_numpy(model.index.search(rows, 1)[1][:, 0].copy())
    device = features.device
    return Clusters(
        distributed.broadcast_from_first(assignments.to(device)),
        distributed.broadcast_from_first(centroids.to(device)),
    )


def _faiss_on_gpu() -> Search:
    """Return a search by faiss among tensors of the current GPU.

    ``faiss.Kmeans(gpu=True)`` and ``faiss.Clustering`` would not do: they average rows on the host.
    """
    import faiss
    import faiss.contrib.torch_utils  # has faiss take tensors, in the order of torch's stream

    resources = faiss.StandardGpuResources()
    resources.setTempMemory(4 * MAX_SCORES)

    def search(rows: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
        if len(rows) == 0:  # which faiss refuses
            return by_torch(rows, centroids)
        found = faiss.knn_gpu(resources, rows.contiguous(), centroids.contiguous(), 1)
        distances, assignments = (column.squeeze(1) for column in found)
        return assignments.clamp(min=0), distances  # -1 of a row that is not finite

    return search


def by_torch(rows: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row's nearest centroid and the squared distance to it, shapes (M,)."""
    lengths = (centroids**2).sum(dim=1)
    best = torch.addmm(lengths, rows, centroids.T, alpha=-2).min(dim=1)
    return best.indices, best.values + (rows**2).sum(dim=1)


def _lloyd(
    features: Tensor, num_clusters: int, seed: int, iterations: int, search: Search
) -> Clusters:
    generator = torch.Generator().manual_seed(seed)
    first = torch.randperm(len(features), generator=generator)[:num_clusters]
    centroids = features[send(first, features.device)]
    for _ in range(iterations):
        centroids = lloyd_step(features, centroids, search)
    return Clusters(nearest(features, centroids, search)[0], centroids)


def lloyd_step(features: Tensor, centroids: Tensor, search: Search = by_torch) -> Tensor:
    """Return each cluster's mean; empty ones move to the rows farthest from their centroids."""
    # Sums in double precision round to the same centroids however many ranks share the work.
    sums = torch.zeros_like(centroids, dtype=torch.float64)
    counts = sums.new_zeros(len(centroids))
    distances = []
    for rows, assignments, row_distances in _own_chunks(features, centroids, search):
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


def nearest(
    features: Tensor, centroids: Tensor, search: Search = by_torch
) -> tuple[Tensor, Tensor]:
    """Return every row's nearest centroid and the squared distance to it, shapes (N,)."""
    chunks = list(_own_chunks(features, centroids, search))
    return (
        _of_all_ranks([chunk[1] for chunk in chunks], len(features)),
        _of_all_ranks([chunk[2] for chunk in chunks], len(features)),
    )


def _own_chunks(
    features: Tensor, centroids: Tensor, search: Search
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield this rank's rows, their nearest centroids and squared distances, piece by piece."""
    share = -(-len(features) // distributed.world_size())
    own = features[distributed.rank() * share :][:share]
    for rows in torch.split(own, max(1, MAX_SCORES // len(centroids))):
        assignments, distances = search(rows, centroids)
        yield rows, assignments, distances.clamp(min=0)


def _of_all_ranks(chunks: Sequence[Tensor], length: int) -> Tensor:
    """Return what every rank found of its rows, in the order of all `length` rows."""
    own = torch.cat(list(chunks))
    missing = -(-length // distributed.world_size()) - len(own)
    return distributed.gather(torch.cat([own, own.new_zeros(missing)]))[:length]
