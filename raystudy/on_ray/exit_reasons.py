"""Why a trial's process died, as far as anybody knows."""

import re
from pathlib import Path

UNKNOWN = "its process died {}"
TIMES = {1: "once", 2: "twice"}
KERNEL = Path("/proc/vmstat")  # Linux counts here what it killed for want of memory


class Deaths:
    """Reads what Ray says of processes that died, trial by trial."""

    def __init__(self) -> None:
        self._causes: dict[int, str] = {}
        self._killed = killed_by_system()

    def note(self, number: int, told: str) -> None:
        """Note a death.

        Parameters
        ----------
        number : int
            Of the trial.
        told : str
            Ray's words.
        """
        killed, before = killed_by_system(), self._killed
        self._killed = killed
        if "low on memory" in told:
            used = re.search(r"was ([\d.]+ ?\w+) used / ([\d.]+ ?\w+) limit", told)
            there = f" ({used[1]} of {used[2]} were in use)" if used else ""
            self._causes[number] = f"out of memory: Ray ended its process {{}}{there}"
        elif killed > before:
            self._causes[number] = "out of memory: the system killed its process {}"
        else:
            self._causes[number] = UNKNOWN

    def reason(self, number: int, times: int) -> str:
        """Return why a trial has failed that died so often."""
        cause = self._causes.get(number, UNKNOWN)
        return cause.format(TIMES.get(times, f"{times} times"))


def killed_by_system() -> int:
    """Return how many processes this machine has killed for want of memory since it booted."""
    told = KERNEL.read_text() if KERNEL.is_file() else ""
    count = re.search(r"^oom_kill (\d+)$", told, re.M)
    return int(count[1]) if count else 0
