"""``raystudy doctor``: what is well, what is not, and what to do."""

import importlib.metadata
import json
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.version import Version

from raystudy import config, terminal
from raystudy.errors import EXIT_DONE, EXIT_FAILED

Verdict = Literal["well", "note", "wrong"]
MARKS = {"well": "[green]ok[/green]  ", "note": "[yellow]note[/yellow]", "wrong": "[red]bad[/red] "}

KNOWN_BAD = {  # package: (versions, what happens, what to do)
    "hydra-optuna-sweeper": ("", "pins Optuna below 3", "uninstall it; raystudy does not need it"),
    "hydra-ray-launcher": ("", "pulls a Hydra pre-release", "uninstall it"),
    "grpcio": ("==1.64.0", "stalls Ray's channels", "install another version"),
}


@dataclass(frozen=True)
class Check:
    """One thing looked at."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def doctor(overrides: Sequence[str], *, as_json: bool) -> int:
    """Print every check; 1 if anything is wrong."""
    settings = config.load_shared(overrides)
    output_dir = Path(settings.output_dir).expanduser()
    looks: list[Callable[[], list[Check]]] = [
        _python,
        _packages,
        _known_bad,
        _devices,
        _kmeans,
        lambda: _disk(output_dir),
        _shared_memory,
        lambda: _tracker(settings.tracker.uri),
        _loopback_all_reduce,
        lambda: _ray(settings.scaling.address),
    ]
    checks: list[Check] = []
    console = terminal.console()
    for look in looks:
        for check in look():
            checks.append(check)
            if not as_json:
                advice = f"\n            {check.advice}" if check.advice else ""
                console.print(f"{MARKS[check.verdict]}  {check.name:<18} {check.found}{advice}")
    if as_json:
        console.print_json(json.dumps([asdict(check) for check in checks]))
    return EXIT_FAILED if any(check.verdict == "wrong" for check in checks) else EXIT_DONE


def _python() -> list[Check]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return [Check("python", "well", found)]


def _packages() -> list[Check]:
    checks = []
    for text in importlib.metadata.requires("raystudy") or []:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        name, wanted = requirement.name, str(requirement.specifier)
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            advice = f"install it: uv pip install '{name}{wanted}'"
            checks.append(Check(name, "wrong", "not installed", advice))
            continue
        fits = requirement.specifier.contains(version, prereleases=True)
        advice = "" if fits else f"raystudy wants {wanted}: uv pip install '{name}{wanted}'"
        checks.append(Check(name, "well" if fits else "wrong", version, advice))
    return checks


def _known_bad() -> list[Check]:
    checks = []
    for name, (versions, harm, advice) in KNOWN_BAD.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if Version(version) in Requirement(f"{name}{versions}").specifier:
            checks.append(Check(name, "wrong", f"{version} {harm}", advice))
    return checks


def _devices() -> list[Check]:
    import torch

    cores = len(os.sched_getaffinity(0))
    if not torch.cuda.is_available():
        built = f"; torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else ""
        return [Check("devices", "note", f"{cores} CPU cores, no GPU{built}")]
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return [Check("devices", "well", f"{cores} CPU cores; {', '.join(names)}")]


def _kmeans() -> list[Check]:
    try:
        import faiss
    except ImportError:
        return [Check("k-means", "note", "faiss is absent; torch's k-means is used")]
    kind = "GPU" if getattr(faiss, "get_num_gpus", int)() else "CPU"
    return [Check("k-means", "well", f"faiss {faiss.__version__}, {kind} build")]


def _disk(output_dir: Path) -> list[Check]:
    there = output_dir
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK):
        advice = "choose another by output_dir=FOLDER or RAYSTUDY_HOME"
        return [Check("results", "wrong", f"{output_dir} cannot be written", advice)]
    free = shutil.disk_usage(there).free / 2**30
    kind = _file_system(there)
    if kind.startswith(("nfs", "cifs", "smb", "fuse.sshfs")):
        advice = "fine for checkpoints; Optuna's journal is safer on a local disk"
        return [Check("results", "note", f"{output_dir}, {free:.0f} GiB free, {kind}", advice)]
    advice = "" if free > 5 else "free some space; a CIFAR-10 study needs about 0.2 GiB a trial"
    verdict: Verdict = "well" if free > 5 else "note"
    return [Check("results", verdict, f"{output_dir}, {free:.0f} GiB free", advice)]


def _file_system(path: Path) -> str:
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    below = [(len(mount[1]), mount[2]) for mount in mounts if path.is_relative_to(mount[1])]
    return max(below)[1] if below else "unknown"


def _shared_memory() -> list[Check]:
    memory = Path("/dev/shm")
    if not memory.exists():
        return [Check("/dev/shm", "note", "absent", "Ray's object store falls back to /tmp")]
    size = shutil.disk_usage(memory).total / 2**30
    advice = "" if size >= 1 else "Ray is slow with so little; in Docker use --shm-size=2g"
    return [Check("/dev/shm", "well" if size >= 1 else "note", f"{size:.1f} GiB", advice)]


def _tracker(uri: str | None) -> list[Check]:
    if uri is None or not uri.startswith(("http://", "https://")):
        return [
            Check(
                "MLflow store",
                "well",
                "sqlite in the results folder" if uri is None else uri.split("://")[0],
            )
        ]
    parts = urlsplit(uri)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=5):
            return [Check("MLflow store", "well", f"{parts.hostname}:{port} answers")]
    except OSError as error:
        advice = "sweeps run all the same; 'raystudy sync STUDY' delivers later"
        return [Check("MLflow store", "wrong", f"{parts.hostname}:{port}: {error}", advice)]


_ALL_REDUCE = """
import sys, torch, torch.distributed as dist
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=2)
value = torch.ones(1)
dist.all_reduce(value)
assert value.item() == 2
dist.destroy_process_group()
"""


def _loopback_all_reduce() -> list[Check]:
    with tempfile.TemporaryDirectory() as folder:
        ranks = [
            subprocess.Popen(
                [sys.executable, "-c", _ALL_REDUCE, str(rank), f"{folder}/store"],
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        errors = []
        for process in ranks:
            try:
                errors.append(process.communicate(timeout=60)[1] if process.wait(60) else "")
            except subprocess.TimeoutExpired:
                process.kill()
                errors.append("no answer in 60 s")
    failed = [error.strip().splitlines()[-1] for error in errors if error]
    if failed:
        advice = "trials of several workers will not run; set GLOO_SOCKET_IFNAME to your network"
        return [Check("gloo all-reduce", "wrong", failed[0], advice)]
    return [Check("gloo all-reduce", "well", "two processes agree")]


def _ray(address: str | None) -> list[Check]:
    code = (
        "import ray, json\n"
        f"ray.init(address={address!r}, include_dashboard=False, logging_level='ERROR',"
        " log_to_driver=False)\n"
        "print(json.dumps(ray.cluster_resources()))\n"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=90, check=False
        )
    except subprocess.TimeoutExpired:
        return [Check("ray", "wrong", "did not start in 90 s", "look into /tmp/ray/session_latest")]
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        advice = "scaling.address names a cluster that cannot be reached" if address else ""
        return [Check("ray", "wrong", last, advice)]
    resources = json.loads(done.stdout.strip().splitlines()[-1])
    where = address or "local"
    cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
    return [Check("ray", "well", f"{where}: {cpus:g} CPUs, {gpus:g} GPUs")]
