"""What this machine has: devices, memory, disk."""

import os
import shutil
import tempfile
from pathlib import Path

from raystudy.cli.doctor.check import Check, python, pythons
from raystudy.terminal import size

RAY_TEMPORARY = Path("/tmp")  # where a local Ray's sockets and spilt objects lie
RAY_STOPS_AT = 0.95  # of a disk; from there Ray stores nothing more
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


def devices() -> list[Check]:
    """Return CPU cores and GPUs, as torch sees them."""
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
        return [Check("devices", "wrong", "a GPU is here, but torch is built for CPUs", advice)]
    advice = "'nvidia-smi' tells the driver's version; is CUDA_VISIBLE_DEVICES set?"
    found = f"a GPU is here, but torch (built for CUDA {built}) cannot use it"
    return [Check("devices", "wrong", found, advice)]


def kmeans() -> list[Check]:
    """Return what clusters features."""
    try:
        import faiss
    except ImportError:
        return [Check("k-means", "note", "faiss is absent; torch's k-means is used")]
    kind = "GPU" if getattr(faiss, "get_num_gpus", int)() else "CPU"
    return [Check("k-means", "well", f"faiss {faiss.__version__}, {kind} build")]


def shared_memory(object_store: int, memory: Path = Path("/dev/shm")) -> list[Check]:
    """Return whether Ray's object store, so many bytes, fits into shared memory."""
    if not memory.exists():
        found = f"absent; Ray's object store ({size(object_store)}) falls back to {RAY_TEMPORARY}"
        return [Check("shared memory", "note", found, "slower; trials keep next to nothing there")]
    free = shutil.disk_usage(memory).free
    found = f"{memory}: {size(free)} free, Ray's object store takes {size(object_store)}"
    if free >= object_store:
        return [Check("shared memory", "well", found)]
    advice = "Ray falls back to the disk; in a container say --shm-size=2g"
    return [Check("shared memory", "note", found, advice)]


def temporary_folder(
    folder: Path = RAY_TEMPORARY, stops_at: float = RAY_STOPS_AT, least: int = LEAST_TEMPORARY
) -> list[Check]:
    """Return whether a local Ray finds room for its files."""
    if not os.access(folder, os.W_OK):
        advice = "Ray's sockets lie there; make it writable"
        return [Check("Ray's folder", "wrong", f"{folder} cannot be written", advice)]
    usage = shutil.disk_usage(folder)
    full = 1 - usage.free / usage.total
    found = f"{folder}: {size(usage.free)} free, {full:.0%} full"
    if full > stops_at:
        advice = f"above {stops_at:.0%} Ray stores no objects; free some space"
        return [Check("Ray's folder", "wrong", found, advice)]
    if usage.free < least:
        return [Check("Ray's folder", "note", found, "Ray's logs and sockets lie there")]
    return [Check("Ray's folder", "well", found)]


def all_reduce() -> list[Check]:
    """Let two processes add up, as a trial of several workers does; on GPUs too."""
    checks = [_agree("gloo", 2, "set GLOO_SOCKET_IFNAME to your network, such as lo or eth0")]
    count, error = python("import torch; print(torch.cuda.device_count())")
    gpus = 0 if error else int(count)
    if gpus:
        checks.append(_agree("nccl", min(2, gpus), "run again with NCCL_DEBUG=INFO"))
    return checks


def _agree(backend: str, ranks: int, advice: str) -> Check:
    with tempfile.TemporaryDirectory() as folder:
        arguments = [(backend, str(rank), str(ranks), f"{folder}/store") for rank in range(ranks)]
        answers = pythons(_TWO_AGREE, arguments)
    wrong = [error for _, error in answers if error]
    name = f"{backend} all-reduce"
    if wrong:
        return Check(name, "wrong", wrong[0], f"trials of several workers will not run; {advice}")
    found = f"{ranks} processes agree" if ranks > 1 else "starts on the one GPU there is"
    return Check(name, "well", found)
