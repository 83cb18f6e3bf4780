"""What the machine did: of the trial's own process and GPU only, and over all its processes."""

import mmap
import time

import pytest
import torch

from raystudy.trial import gpu
from raystudy.trial.figures import FIGURES
from raystudy.trial.gpu import Gpu, GpuUse, GpuWatch
from raystudy.trial.machine import GIB, Machine, measures_of, together

CPU = torch.device("cpu")


class Driver:
    """A stand-in for NVML on a machine of two GPUs, of which the second is busy."""

    class NVMLError(Exception):
        """What NVML raises of all that it does not know."""

    class Rates:
        def __init__(self, gpu):
            self.gpu = gpu

    def __init__(self, *, tells_power=True):
        self._tells_power = tells_power
        self.asked = set()

    def nvmlDeviceGetHandleByUUID(self, uuid):  # noqa: N802, its name
        if uuid not in ("GPU-one", "GPU-two"):
            raise self.NVMLError(uuid)
        return uuid

    def nvmlDeviceGetUtilizationRates(self, handle):  # noqa: N802
        if handle is None:
            raise self.NVMLError("no device")
        self.asked.add(handle)
        return self.Rates({"GPU-one": 10, "GPU-two": 80}[handle])

    def nvmlDeviceGetPowerUsage(self, handle):  # noqa: N802
        if handle is None or not self._tells_power:
            raise self.NVMLError("not supported")
        return {"GPU-one": 60_000, "GPU-two": 300_000}[handle]


def state(use=None, **others):
    """Return the state of a process that trained for a while."""
    use = use or GpuUse()
    plain = {"cpu_s": 0.0, "memory_bytes": GIB, "waited_s": 0.0, "gpu_memory_bytes": 0.0}
    return {**plain, **vars(use), **others}


def test_only_the_trials_own_gpu_is_asked():
    driver, use = Driver(), GpuUse()
    use.add(Gpu(driver, "two"), 3.0)
    use.add(Gpu(driver, "two"), 1.0)
    assert driver.asked == {"GPU-two"}
    found = measures_of(state(use))
    assert found["cost/gpu_utilization"] == pytest.approx(0.8)
    assert found["cost/gpu_watts"] == pytest.approx(300)
    assert found["cost/gpu_watt_hours"] == pytest.approx(300 * 4 / 3600)


def test_what_the_driver_does_not_tell_is_no_measure():
    silent, unknown = GpuUse(), GpuUse()
    silent.add(Gpu(Driver(tells_power=False), "one"), 1.0)
    unknown.add(Gpu(Driver(), "of another machine"), 1.0)
    assert "cost/gpu_utilization" in measures_of(state(silent))
    assert "cost/gpu_watts" not in measures_of(state(silent))
    assert not {name for name in measures_of(state(unknown)) if "gpu" in name}


def test_a_gpu_is_watched_until_the_end_of_its_trial():
    driver = Driver()
    before = time.monotonic()
    watch = GpuWatch(Gpu(driver, "one"))
    watch.close()
    assert 0 < watch.use.sampled_s <= time.monotonic() - before
    assert watch.use.joules == pytest.approx(60 * watch.use.powered_s)


def test_where_torch_has_no_gpu_nothing_is_asked(monkeypatch):
    monkeypatch.setattr(gpu, "_nvml", lambda: pytest.fail("asked"))
    assert gpu.own_gpu(CPU) is None


def test_a_trial_that_continues_adds_to_what_it_used():
    left = state(GpuUse(10, 5, 10, 1000), cpu_s=100.0, waited_s=7.0, memory_bytes=2.0**60)
    machine = Machine(CPU, left)
    machine.wait(2.0)
    sum(range(10**6))
    used = machine.state()
    machine.close()
    assert used["waited_s"] == 9.0
    assert used["cpu_s"] > 100
    assert used["memory_bytes"] == 2.0**60
    assert (used["sampled_s"], used["joules"]) == (10, 1000)


def touch(megabytes):
    """Use memory that goes back to the system at once."""
    with mmap.mmap(-1, megabytes * 2**20) as memory:
        for page in range(0, len(memory), mmap.PAGESIZE):
            memory[page] = 1


def test_what_an_earlier_trial_of_the_process_used_is_not_counted():
    touch(300)
    first = Machine(CPU, {})
    touch(200)
    used = first.state()
    after = Machine(CPU, {}).state()
    assert 150 * 2**20 < used["memory_bytes"] - after["memory_bytes"] < 250 * 2**20
    assert used["cpu_s"] < time.process_time()


def test_ranks_add_up_but_for_peaks():
    one, other = state(GpuUse(10, 10, 0, 0), cpu_s=3.0), state(GpuUse(10, 0, 0, 0), cpu_s=4.0)
    used = together([one, {**other, "memory_bytes": 3 * GIB}])
    assert used["cpu_s"] == 7
    assert measures_of(used)["cost/memory_gib"] == 3
    assert measures_of(used)["cost/gpu_utilization"] == 0.5


def test_every_measure_has_words():
    everything = state(GpuUse(1, 1, 1, 1), gpu_memory_bytes=1.0)
    assert measures_of(everything).keys() <= FIGURES.keys()
