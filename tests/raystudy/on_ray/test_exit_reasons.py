"""What is known of a process that died is told, and no more."""

import pytest

from raystudy.on_ray import exit_reasons
from raystudy.on_ray.exit_reasons import ExitReasons

MONITOR = (
    "Failure # 1 (occurred at 2026-11-21_12-07-24)\n2 worker(s) were killed due to the node "
    "running low on memory. Memory on the node (IP: 127.0.0.1, ID: 737e) was 8.99GB used / "
    "23.54GB limit (0.38)"
)
CONNECTION = (
    "The actor is dead because its worker process has died. Some common causes include: (1) the "
    "process was killed by the OOM killer due to high memory usage, (2) ray stop was called"
)


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    path = tmp_path / "vmstat"
    path.write_text("pgfault 7\noom_kill 4\n")
    monkeypatch.setattr(exit_reasons, "KERNEL", path)
    return path


@pytest.mark.parametrize(
    ("told", "kills", "reason"),
    [
        (
            MONITOR,
            4,
            "out of memory: Ray ended its process 3 times (8.99GB of 23.54GB were in use)",
        ),
        (CONNECTION, 5, "out of memory: the system killed its process 3 times"),
        (CONNECTION, 4, "its process died 3 times"),
    ],
)
def test_the_last_death_tells_the_cause(kernel, told, kills, reason):
    found = ExitReasons()
    found.note(7, CONNECTION)
    kernel.write_text(f"oom_kill {kills}\n")
    found.note(7, told)
    assert found.reason(7, 3) == reason


def test_a_kill_is_held_against_one_trial(kernel):
    found = ExitReasons()
    kernel.write_text("oom_kill 5\n")
    for number in (0, 1):
        found.note(number, CONNECTION)
    assert found.reason(0, 1) == "out of memory: the system killed its process once"
    assert found.reason(1, 2) == "its process died twice"
