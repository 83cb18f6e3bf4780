"""k-means by torch, by faiss and by a stand-in for faiss on a GPU, on one rank and on two."""

import subprocess
import sys

import faiss
import faiss_on_gpu
import pytest
import torch
from faiss_on_gpu import OnGPU
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables import clustering
from trainables.clustering import faster, kmeans, lloyd_step, nearest

BACKENDS = ["faiss", "torch"]


def points(count, width, seed=0):
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def blobs(num_blobs, per_blob):
    """Blobs of radius about 0.1 at mutual distances of at least 100; rows in mixed order."""
    centres = 100.0 * torch.eye(num_blobs)
    labels = torch.arange(num_blobs).repeat(per_blob)
    return centres[labels] + 0.01 * points(len(labels), num_blobs), labels


def objective(features, centroids):
    """Sum of squared distances to the nearest centroid, in plain double precision."""
    distances = torch.cdist(features.double(), centroids.double())
    return distances.min(dim=1).values.square().sum().item()


def same_partition(first, second):
    """Whether two assignments differ in the clusters' numbers only."""
    return torch.equal(first[:, None] == first, second[:, None] == second)


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 5), st.integers(0, 1000), st.data())
def test_a_step_never_raises_the_objective(count, width, seed, data):
    features = points(count, width, seed)
    # Rows drawn with repetition: clusters that start as twins leave one of them empty.
    start = data.draw(st.lists(st.integers(0, count - 1), min_size=1, max_size=count))
    centroids = features[torch.tensor(start)]
    before = objective(features, centroids)
    for _ in range(5):
        centroids = lloyd_step(features, centroids)
        after = objective(features, centroids)
        assert after <= before * (1 + 1e-5) + 1e-9
        before = after


def test_every_way_comes_within_a_hundredth_of_faiss_from_the_same_start(monkeypatch):
    features = points(2000, 16)
    start = features[:50]
    peer = faiss.Kmeans(16, 50, niter=20, max_points_per_centroid=2000, min_points_per_centroid=1)
    peer.train(features.numpy(), init_centroids=start.numpy())
    expected = objective(features, torch.from_numpy(peer.centroids))
    faiss_on_gpu.install(monkeypatch)
    for search in (clustering.by_torch, clustering._faiss_on_gpu()):
        centroids = start
        for _ in range(20):
            centroids = lloyd_step(features, centroids, search)
        assert objective(features, centroids) == pytest.approx(expected, rel=0.01)


def test_every_way_comes_to_the_same_objective_from_starts_of_its_own(monkeypatch):
    features = points(4000, 8)
    found = [kmeans(features, 40, seed=0, backend=backend).centroids for backend in BACKENDS]
    faiss_on_gpu.install(monkeypatch)
    found.append(kmeans(OnGPU(features), 40, seed=0).centroids.within)
    objectives = [objective(features, centroids) for centroids in found]
    assert max(objectives) <= 1.01 * min(objectives)


def test_a_step_moves_every_centroid_to_the_mean_of_its_rows():
    features = torch.tensor([[0.0, 0.0], [2.0, 0.0], [10.0, 0.0], [10.0, 4.0]])
    means = lloyd_step(features, torch.tensor([[0.5, 0.0], [9.0, 1.0]]))
    torch.testing.assert_close(means, torch.tensor([[1.0, 0.0], [10.0, 2.0]]), rtol=0, atol=0)


def test_an_empty_cluster_moves_to_the_row_farthest_from_its_centroid():
    features = torch.tensor([[0.0], [1.0], [50.0]])
    means = lloyd_step(features, torch.tensor([[0.0], [1000.0]]))
    torch.testing.assert_close(means, torch.tensor([[17.0], [50.0]]), rtol=0, atol=0)


def test_recovers_well_separated_blobs_exactly():
    features, labels = blobs(num_blobs=6, per_blob=40)
    centroids = features[:6]  # one row of each
    for _ in range(3):
        centroids = lloyd_step(features, centroids)
    assert torch.equal(nearest(features, centroids)[0], labels)


@pytest.mark.parametrize("backend", BACKENDS)
def test_recovers_two_blobs_from_any_start(backend):
    features, labels = blobs(num_blobs=2, per_blob=100)
    for seed in range(5):
        found = kmeans(features, 2, seed=seed, backend=backend).assignments
        assert same_partition(found, labels)


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_cluster_is_everything_and_its_mean(backend):
    features = points(100, 4)
    clusters = kmeans(features, 1, seed=0, backend=backend)
    assert torch.equal(clusters.assignments, torch.zeros(100, dtype=torch.int64))
    torch.testing.assert_close(clusters.centroids[0], features.mean(dim=0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_as_many_clusters_as_rows_gives_each_row_its_own(backend):
    clusters = kmeans(points(40, 4), 40, seed=0, backend=backend)
    assert sorted(clusters.assignments.tolist()) == list(range(40))


@pytest.mark.parametrize("backend", BACKENDS)
def test_assigns_every_row_to_its_nearest_centroid(backend):
    features = points(500, 8)
    clusters = kmeans(features, 20, seed=0, backend=backend)
    expected = torch.cdist(features.double(), clusters.centroids.double()).argmin(dim=1)
    assert torch.equal(clusters.assignments, expected)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_seed_decides_and_no_other_random_stream_moves(backend):
    features, state = points(300, 8), torch.get_rng_state()
    first, again, other = (kmeans(features, 20, seed=s, backend=backend) for s in (1, 1, 2))
    assert torch.equal(first.assignments, again.assignments)
    assert torch.equal(first.centroids, again.centroids)
    assert not same_partition(first.assignments, other.assignments)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("backend", BACKENDS)
def test_uses_all_rows_and_prints_nothing(backend, capfd):
    # faiss would look at 256 rows of a cluster, and would warn below 39.
    features = torch.cat([torch.zeros(1000, 1), torch.ones(1000, 1)])
    centroid = kmeans(features, 1, seed=0, backend=backend).centroids.item()
    kmeans(points(30, 4), 20, seed=0, backend=backend)
    assert centroid == 0.5
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("num_clusters", [0, 11])
def test_refuses_more_clusters_than_rows_and_none(num_clusters):
    message = f"num_clusters must be between 1 and the 10 rows clustered, got {num_clusters}."
    with pytest.raises(ValueError, match=message):
        kmeans(points(10, 2), num_clusters, seed=0)


def test_features_that_are_not_finite_are_left_for_the_loss_to_tell():
    features = points(50, 4)
    features[3] = torch.nan
    assert kmeans(features, 5, seed=0).assignments.shape == (50,)


def test_on_a_gpu_faiss_clusters_what_never_leaves_it(monkeypatch):
    features = points(700, 8)
    expected = kmeans(features, 20, seed=3, backend="torch")
    searches = faiss_on_gpu.install(monkeypatch)
    found = kmeans(OnGPU(features), 20, seed=3)
    assert searches == 21 * [700]
    assert found.assignments.device == found.centroids.device == torch.device("cuda:0")
    assert torch.equal(found.assignments.within, expected.assignments)
    torch.testing.assert_close(found.centroids.within, expected.centroids, rtol=0, atol=1e-6)


def test_a_copy_to_the_host_would_be_seen(monkeypatch):
    features = OnGPU(points(100, 8))
    faiss_on_gpu.install(monkeypatch, gpus=0)  # asked all the same, faiss would take a copy
    with pytest.raises(AssertionError, match="copies from the GPU to the host"):
        kmeans(features, 5, seed=0, backend="faiss")
    with pytest.raises(RuntimeError, match=r"numpy\(\) is not supported"):
        features.numpy()


@pytest.mark.parametrize("row", [0, 49])
def test_rows_that_are_not_finite_end_nothing_on_a_gpu(monkeypatch, row):
    features = points(50, 4)
    features[row] = torch.nan
    faiss_on_gpu.install(monkeypatch)
    assert kmeans(OnGPU(features), 5, seed=0).assignments.shape == (50,)


@pytest.mark.parametrize(
    ("device", "gpus", "capability", "expected"),
    [
        ("cpu", 0, None, "faiss"),
        ("cuda", 0, (8, 0), "torch"),
        ("cuda", 1, (7, 0), "faiss"),
        ("cuda", 1, (8, 9), "faiss"),
        ("cuda", 1, (6, 1), "torch"),
        ("cuda", 1, (9, 0), "torch"),
        ("meta", 1, None, "torch"),
    ],
)
def test_what_clusters_sooner_depends_on_what_faiss_can_use(
    monkeypatch, device, gpus, capability, expected
):
    faiss_on_gpu.install(monkeypatch, gpus=gpus, capability=capability)
    assert faster(torch.device(device)) == expected


def test_faiss_answers_in_arrays_or_tensors():
    # In this process it is tensors: a stand-in has imported faiss' bridge to torch.
    script = (
        "import torch; from trainables.clustering import kmeans\n"
        "print(kmeans(torch.arange(20.0).unsqueeze(1), 4, seed=0, backend='faiss').centroids.shape)"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (answer.stdout, answer.returncode) == ("torch.Size([4, 1])\n", 0)


def test_works_without_faiss():
    script = (
        "import sys; sys.modules['faiss'] = None\n"
        "import torch; from trainables.clustering import kmeans\n"
        "x = torch.arange(20.0).unsqueeze(1)\n"
        "auto, own = (kmeans(x, 4, seed=0, backend=b) for b in ('auto', 'torch'))\n"
        "print(torch.equal(auto.assignments, own.assignments))\n"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (answer.stdout, answer.returncode) == ("True\n", 0)


def partition_of_many_rows(backend, count, num_clusters):
    features = points(count, 8)
    features[: count // 2] = features[0]  # twins, so that clusters run empty
    clusters = kmeans(features, num_clusters, seed=0, backend=backend)
    return clusters.assignments, clusters.centroids


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("count", "num_clusters"), [(201, 30), (200, 1), (3, 3), (1, 1)])
def test_two_ranks_find_what_one_process_finds(run_ranks, backend, count, num_clusters):
    expected, centroids = partition_of_many_rows(backend, count, num_clusters)
    for found in run_ranks(partition_of_many_rows, backend, count, num_clusters):
        assert torch.equal(found[0], expected)
        torch.testing.assert_close(found[1], centroids, rtol=0, atol=1e-6)


def by_faiss_of_a_gpu(count, num_clusters):
    features = points(count, 8)
    with pytest.MonkeyPatch.context() as monkeypatch:
        faiss_on_gpu.install(monkeypatch)
        search = clustering._faiss_on_gpu()
        centroids = features[:num_clusters]
        for _ in range(5):
            centroids = lloyd_step(features, centroids, search)
        return nearest(features, centroids, search)[0], centroids


@pytest.mark.parametrize(("count", "num_clusters"), [(201, 30), (1, 1)])
def test_two_ranks_share_the_rows_that_faiss_searches_on_a_gpu(run_ranks, count, num_clusters):
    expected, centroids = by_faiss_of_a_gpu(count, num_clusters)
    for found in run_ranks(by_faiss_of_a_gpu, count, num_clusters):
        assert torch.equal(found[0], expected)
        torch.testing.assert_close(found[1], centroids, rtol=0, atol=1e-6)
