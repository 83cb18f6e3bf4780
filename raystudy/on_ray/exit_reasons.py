"""Why a trial's process died, as far as it is known."""

import re
from pathlib import Path

UNKNOWN = "its process died {}"
TIMES = {1: "once", 2: "twice"}
KERNEL = Path("/proc/vmstat")  # Linux counts here what it killed for want of memory


class ExitReasons:
    """Reads from Ray's messages why processes died, trial by trial."""

    def __init__(self) -> None:
        self._causes: dict[int, str] = {}
        self._killed = killed_by_system()

    def note(self, number: int, message: str) -> None:
        """Note that a trial's process died.

        Parameters
        ----------
        number : int
            Of the trial.
        message : str
            Ray's.
        """
        killed, before = killed_by_system(), self._killed
        self._killed = killed
        if "low on memory" in message:
            used = re.search(r"was ([\d.]+ ?\w+) used / ([\d.]+ ?\w+) limit", message)
            there = f" ({used[1]} of {used[2]} were in use)" if used else ""
            self._causes[number] = f"out of memory: Ray ended its process {{}}{there}"
        elif killed > before:
            self._causes[number] = "out of memory: the system killed its process {}"
        else:
            self._causes[number] = UNKNOWN

    def reason(self, number: int, times: int) -> str:
        """Return why a trial failed whose process died this many times."""
        cause = self._causes.get(number, UNKNOWN)
        return cause.format(TIMES.get(times, f"{times} times"))


def killed_by_system() -> int:
    """Return how many processes this machine has killed for want of memory since it booted."""
    counters = KERNEL.read_text() if KERNEL.is_file() else ""
    count = re.search(r"^oom_kill (\d+)$", counters, re.M)
    return int(count[1]) if count else 0
