"""The append-only log of evaluations on a study's test split: by whom, when, for what."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FILE = "test_touches.jsonl"


def record(
    folder: Path,
    what: str,
    *,
    configurations: Sequence[int] = (),
    seeds: Sequence[int] = (),
    models: int | None = None,
) -> None:
    """Note that test images are about to be read; to be called before they are.

    Parameters
    ----------
    folder : Path
        Of the study whose trials are measured.
    what : str
        Which command does it, such as ``confirm swaro-1-confirm``.
    configurations : sequence of int
        Numbers of the study's trials.
    seeds : sequence of int
        Training seeds; none: the trials' own.
    models : int, optional
        How many networks are measured, unless each configuration is on every seed.
    """
    touch = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "what": what,
        "configurations": list(configurations),
        "seeds": list(seeds),
        "count": len(configurations) * max(1, len(seeds)) if models is None else models,
    }
    path = folder / FILE
    # A killed writer may have left half a line, which must not take this one with it.
    torn = path.exists() and path.read_bytes()[-1:] not in (b"\n", b"")
    with path.open("a") as file:
        file.write("\n" * torn + json.dumps(touch) + "\n")
        file.flush()
        os.fsync(file.fileno())


def touches(folder: Path) -> list[dict[str, Any]]:
    """Return every touch, oldest first: time, what, configurations, seeds, count of models."""
    path = folder / FILE
    lines = path.read_text().splitlines() if path.exists() else []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:  # of a writer that was killed
            found.append({"what": "unknown: the line is torn", "count": 1})
    return found


def count(folder: Path) -> int:
    """Return how often the test split was touched."""
    return len(touches(folder))
