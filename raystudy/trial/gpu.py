"""What the driver reports of a trial's own GPU."""

import contextlib
import threading
import time
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

PERIOD_S = 1.0  # the driver's own mean is over a sixth of a second to one second
PREFIXES = ("GPU-", "MIG-")


class Gpu:
    """One GPU, by NVML; what it does not report is None.

    Parameters
    ----------
    nvml : module
        ``pynvml``, initialised.
    uuid : str
        As torch names the device that the trial computes on. NVML counts all GPUs of the machine,
        a process those that `CUDA_VISIBLE_DEVICES` leaves it: numbers would be of another one.
    """

    def __init__(self, nvml: Any, uuid: str) -> None:
        self._nvml = nvml
        self._handle: Any = None
        for prefix in PREFIXES:
            with contextlib.suppress(nvml.NVMLError):
                self._handle = nvml.nvmlDeviceGetHandleByUUID(f"{prefix}{uuid}")
                break

    def utilization(self) -> float | None:
        """Return the share of the last moment in which something ran on it."""
        with contextlib.suppress(self._nvml.NVMLError):
            return float(self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu) / 100
        return None

    def watts(self) -> float | None:
        """Return its power."""
        with contextlib.suppress(self._nvml.NVMLError):
            return float(self._nvml.nvmlDeviceGetPowerUsage(self._handle)) / 1000
        return None


def own_gpu(device: torch.device) -> Gpu | None:
    """Return the GPU of a device; None if it is none, or if no driver reports on it."""
    if device.type != "cuda" or (nvml := _nvml()) is None:
        return None
    return Gpu(nvml, str(torch.cuda.get_device_properties(device).uuid))


def _nvml() -> ModuleType | None:
    try:
        import pynvml

        pynvml.nvmlInit()
    except Exception:  # no such package, no driver: of several types
        return None
    module: ModuleType = pynvml
    return module


@dataclass
class GpuUse:
    """Integrals over time, over the seconds in which the driver reported.

    Parameters
    ----------
    sampled_s, busy_s : float
        Watched, and of that in use.
    powered_s, joules : float
        In which the power was reported, and the energy of these.
    """

    sampled_s: float = 0.0
    busy_s: float = 0.0
    powered_s: float = 0.0
    joules: float = 0.0

    def add(self, gpu: Gpu, seconds: float) -> None:
        """Take what a GPU reports now as true of the last `seconds`."""
        if (share := gpu.utilization()) is not None:
            self.sampled_s += seconds
            self.busy_s += share * seconds
        if (watts := gpu.watts()) is not None:
            self.powered_s += seconds
            self.joules += watts * seconds


class GpuWatch:
    """Ask a GPU every second, in a thread, until `close`."""

    def __init__(self, gpu: Gpu) -> None:
        self.use = GpuUse()
        self._gpu = gpu
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ask no more."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        before = time.monotonic()
        is_last = False
        while not is_last:
            is_last = self._closing.wait(PERIOD_S)
            now = time.monotonic()
            self.use.add(self._gpu, now - before)
            before = now
