"""Checks of this machine: devices, memory, temporary folder, all-reduce."""

import os
import shutil
import tempfile
from pathlib import Path

from raystudy.cli.doctor.check import Check, Verdict, python, pythons
from raystudy.terminal import size
from trainables.compilation import missing_compiler

# Both packages hold the module faiss, so that one must go.
SWAP_FAISS = "uv pip uninstall faiss-cpu && uv pip install faiss-gpu-cu12"
RAY_TEMPORARY = Path("/tmp")  # where a local Ray keeps sockets and spilled objects
RAY_STOPS_AT = 0.95  # of a disk; above that Ray stores no objects
LEAST_TEMPORARY = 2**30

_TWO_AGREE = """
import sys, torch, torch.distributed as dist
backend, rank, size, store = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
device = f"cuda:{rank}" if backend == "nccl" else "cpu"
if backend == "nccl":
    torch.cuda.set_device(device)
dist.init_process_group(backend, init_method="file://" + store, rank=rank, world_size=size)
value = torch.ones(1, device=device)
dist.all_reduce(value)
assert value.item() == size, f"{size} ones add up to {value.item()}"
dist.destroy_process_group()
"""


def check_devices() -> list[Check]:
    """Check which CPU cores and GPUs torch can use."""
    import torch

    cores = len(os.sched_getaffinity(0))
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        return [Check("devices", "well", f"{cores} CPU cores; {', '.join(names)}")]
    built = torch.version.cuda
    if not Path("/dev/nvidiactl").exists():
        return [Check("devices", "note", f"{cores} CPU cores, no GPU")]
    if built is None:
        advice = "install torch's build for CUDA (pytorch.org, 'Get started')"
        return [Check("devices", "wrong", "there is a GPU, but torch is built for CPUs", advice)]
    advice = "'nvidia-smi' shows the driver's version; check CUDA_VISIBLE_DEVICES, too"
    found = f"there is a GPU, but torch (built for CUDA {built}) cannot use it"
    return [Check("devices", "wrong", found, advice)]


def check_kmeans() -> list[Check]:
    """Check which library clusters features, and whether another could use the GPU."""
    import torch

    try:
        import faiss
    except ImportError:
        return [Check("k-means", "note", "faiss is not installed; k-means runs in torch")]
    build = "GPU" if hasattr(faiss, "StandardGpuResources") else "CPU"
    found = f"faiss {faiss.__version__}, {build} build"
    if not torch.cuda.is_available():
        return [Check("k-means", "well", found)]
    return [kmeans_on_gpu(found, torch.cuda.get_device_capability(), faiss.get_num_gpus())]


def kmeans_on_gpu(found: str, capability: tuple[int, int], gpus: int) -> Check:
    """Check what clusters on a GPU of a compute capability of which faiss uses so many."""
    from trainables.clustering import FAISS_KNOWS

    oldest, newest = FAISS_KNOWS
    if not oldest <= capability <= newest:
        known = " to ".join(f"{major}.{minor}" for major, minor in FAISS_KNOWS)
        return Check(
            "k-means", "well", f"{found}; on the GPU torch, as faiss' packages know {known} only"
        )
    if gpus:
        return Check("k-means", "well", f"{found}; on the GPU faiss")
    return Check("k-means", "note", f"{found}; on the GPU torch", f"for faiss there: {SWAP_FAISS}")


def check_compiler(is_wanted: bool) -> list[Check]:
    """Check that torch.compile finds what it writes code for."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    if (missing := missing_compiler(device)) is None:
        return [Check("torch.compile", "well", "there is a compiler for trainer.compile=true")]
    verdict: Verdict = "wrong" if is_wanted else "note"
    return [Check("torch.compile", verdict, f"trainer.compile=true {missing}")]


def check_shared_memory(object_store: int, memory: Path = Path("/dev/shm")) -> list[Check]:
    """Check that Ray's object store, in bytes, fits into shared memory."""
    if not memory.exists():
        found = f"absent; Ray's object store ({size(object_store)}) falls back to {RAY_TEMPORARY}"
        return [Check("shared memory", "note", found, "slower, but trials store little there")]
    free = shutil.disk_usage(memory).free
    found = f"{memory}: {size(free)} free, Ray's object store takes {size(object_store)}"
    if free >= object_store:
        return [Check("shared memory", "well", found)]
    advice = "Ray falls back to the disk; start containers with --shm-size=2g"
    return [Check("shared memory", "note", found, advice)]


def check_ray_folder(
    folder: Path = RAY_TEMPORARY, stops_at: float = RAY_STOPS_AT, least: int = LEAST_TEMPORARY
) -> list[Check]:
    """Check that a local Ray has space for its files."""
    if not os.access(folder, os.W_OK):
        advice = "Ray keeps its sockets there; make it writable"
        return [Check("Ray's folder", "wrong", f"{folder} is not writable", advice)]
    usage = shutil.disk_usage(folder)
    full = 1 - usage.free / usage.total
    found = f"{folder}: {size(usage.free)} free, {full:.0%} full"
    if full > stops_at:
        advice = f"above {stops_at:.0%} Ray stores no objects; free some space"
        return [Check("Ray's folder", "wrong", found, advice)]
    if usage.free < least:
        return [
            Check("Ray's folder", "note", found, "Ray's logs and sockets go there; free some space")
        ]
    return [Check("Ray's folder", "well", found)]


def check_all_reduce() -> list[Check]:
    """Check that processes can sum tensors, as the workers of one trial do."""
    checks = [
        _all_reduce(
            "gloo", 2, "set GLOO_SOCKET_IFNAME to your network interface, such as lo or eth0"
        )
    ]
    count, error = python("import torch; print(torch.cuda.device_count())")
    gpus = 0 if error else int(count)
    if gpus:
        checks.append(_all_reduce("nccl", min(2, gpus), "rerun with NCCL_DEBUG=INFO"))
    return checks


def _all_reduce(backend: str, ranks: int, advice: str) -> Check:
    with tempfile.TemporaryDirectory() as folder:
        arguments = [(backend, str(rank), str(ranks), f"{folder}/store") for rank in range(ranks)]
        answers = pythons(_TWO_AGREE, arguments)
    wrong = [error for _, error in answers if error]
    name = f"{backend} all-reduce"
    if wrong:
        return Check(name, "wrong", wrong[0], f"trials with several workers cannot run; {advice}")
    found = f"{ranks} processes agree" if ranks > 1 else "starts on the only GPU"
    return Check(name, "well", found)
