"""What the machine did for a trial: time of processors, memory, waiting, the GPU's own figures.

Nothing of it is the same twice, so nothing that compares runs looks at it.
"""

import contextlib
import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from torch import distributed as dist

from raystudy.trial.gpu import GpuUse, GpuWatch, own_gpu
from trainables import distributed

GIB = 2.0**30
PEAKS = ("memory_bytes", "gpu_memory_bytes")  # of all else what several processes used adds up


class Machine:
    """Counts what a trial's own process uses; on several ranks, what all of them do.

    Parameters
    ----------
    device : torch.device
        Whose GPU is watched, and no other.
    left : mapping of str to float
        `state` of the process that trained the trial before; empty if there was none.
    """

    def __init__(self, device: torch.device, left: Mapping[str, float]) -> None:
        self._left = dict(left) if distributed.rank() == 0 else {}
        self._device = device
        self._waited_s = 0.0
        self._cpu_s = _cpu_seconds()
        self._can_reset = _forget_peak()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        gpu = own_gpu(device)
        self._watch = None if gpu is None else GpuWatch(gpu)

    def wait(self, seconds: float) -> None:
        """Take in what training waited for images."""
        self._waited_s += seconds

    def close(self) -> None:
        """Stop watching."""
        if self._watch is not None:
            self._watch.close()

    def state(self) -> dict[str, float]:
        """Return all that was used so far, by all processes of the trial; a collective call."""
        own = {
            "cpu_s": _cpu_seconds() - self._cpu_s,
            "memory_bytes": _memory_bytes(at_its_peak=self._can_reset),
            "waited_s": self._waited_s if distributed.rank() == 0 else 0.0,
            **asdict(GpuUse() if self._watch is None else self._watch.use),
            "gpu_memory_bytes": _gpu_memory_bytes(self._device),
        }
        return together([self._left, *_of_all_ranks(own)])


@contextmanager
def watching(device: torch.device, left: Mapping[str, float]) -> Iterator[Machine]:
    """Count until the block ends."""
    machine = Machine(device, left)
    try:
        yield machine
    finally:
        machine.close()


def together(states: list[dict[str, float]]) -> dict[str, float]:
    """Return what several processes used, side by side or one after the other."""
    names = dict.fromkeys(name for state in states for name in state)
    combine = {name: max if name in PEAKS else sum for name in names}
    return {
        name: combine[name]([state[name] for state in states if name in state]) for name in names
    }


def measures_of(state: Mapping[str, float]) -> dict[str, float]:
    """Return the measures, ``cost/...``; the GPU's where its driver reports them."""
    found = {
        "cost/cpu_seconds": state["cpu_s"],
        "cost/memory_gib": state["memory_bytes"] / GIB,
        "cost/waited_seconds": state["waited_s"],
    }
    if state["gpu_memory_bytes"]:
        found["cost/gpu_memory_gib"] = state["gpu_memory_bytes"] / GIB
    if state["sampled_s"]:
        found["cost/gpu_utilization"] = state["busy_s"] / state["sampled_s"]
    if state["powered_s"]:
        found["cost/gpu_watts"] = state["joules"] / state["powered_s"]
        found["cost/gpu_watt_hours"] = state["joules"] / 3600
    return found


def _of_all_ranks(own: dict[str, float]) -> list[dict[str, float]]:
    if not distributed.is_distributed():
        return [own]
    states = [own] * distributed.world_size()
    dist.all_gather_object(states, own)
    return states


def _cpu_seconds() -> float:
    """Return the time of all threads of this process and of children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _forget_peak() -> bool:
    """Let the kernel forget an earlier trial's peak in this process; return whether it did."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return True
    return False


def _memory_bytes(*, at_its_peak: bool) -> float:
    """Return the resident memory of this process, at its peak or now."""
    name = "VmHWM:" if at_its_peak else "VmRSS:"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(name):
                return 1024.0 * int(line.split()[1])
    return 1024.0 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _gpu_memory_bytes(device: torch.device) -> float:
    """Return what this process's tensors took at their peak, whoever else uses the GPU."""
    return float(torch.cuda.max_memory_reserved(device)) if device.type == "cuda" else 0.0
