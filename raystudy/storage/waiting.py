"""What a running study waits for, kept for the commands that show it."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from raystudy.storage import disk


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Trials that no process runs yet.

    Parameters
    ----------
    since : float
        Seconds since 1970.
    words : str
        What for.
    trials : tuple of int
        Numbers of those that were handed out; without any no trial can start at all.
    """

    since: float
    words: str
    trials: tuple[int, ...] = ()

    def __str__(self) -> str:
        numbers, many = ", ".join(map(str, self.trials)), len(self.trials) > 1
        who = f"trial{'s' * many} {numbers} ha{'ve' if many else 's'} been " if numbers else ""
        clock = time.strftime("%H:%M", time.localtime(self.since))
        return f"{who}waiting since {clock} for {self.words}"


def keep(path: Path, waiting: Waiting | None) -> None:
    """Write down what is waited for, or that nothing is."""
    with contextlib.suppress(OSError):  # only shown
        if waiting is None:
            path.unlink(missing_ok=True)
        else:
            with disk.replacing(path) as file:
                file.write(json.dumps(asdict(waiting)).encode())


def read(path: Path) -> Waiting | None:
    """Return what is waited for; None: nothing."""
    try:
        kept = json.loads(path.read_text())
        return Waiting(since=kept["since"], words=kept["words"], trials=tuple(kept["trials"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
