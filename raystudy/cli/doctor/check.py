"""One thing looked at, and how long a look may take."""

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from raystudy import terminal
from raystudy.config import import_path
from raystudy.config.import_path import PATIENCE_S

Verdict = Literal["well", "note", "wrong"]


@dataclass(frozen=True)
class Check:
    """What was found, and what to do about it.

    Parameters
    ----------
    name : str
    verdict : {"well", "note", "wrong"}
        ``wrong`` stops studies, or some of them.
    found : str
    advice : str
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


Look = Callable[[], list[Check]]


def in_time(looks: Mapping[str, Look], limit_s: float) -> Iterator[Check]:
    """Look at everything at once, and yield what is found in the order given.

    A look that takes longer than `limit_s` is left behind, one that raises is no end of all.
    """
    found: dict[str, queue.SimpleQueue[list[Check]]] = {}
    for name, look in looks.items():
        found[name] = queue.SimpleQueue()
        threading.Thread(target=_put, args=(name, look, found[name]), daemon=True).start()
    deadline = time.monotonic() + limit_s
    for name, answer in found.items():
        try:
            with terminal.announced(name):
                checks = answer.get(timeout=max(0.01, deadline - time.monotonic()))
            yield from checks
        except queue.Empty:
            yield Check(name, "wrong", f"no answer in {limit_s:g} s", "something hangs there")


def _put(name: str, look: Look, answer: "queue.SimpleQueue[list[Check]]") -> None:
    try:
        answer.put(look())
    except Exception as error:  # of whatever is broken here
        words = f"{type(error).__name__}: {error}".splitlines()[0]
        answer.put([Check(name, "wrong", words)])


def python(
    code: str,
    *arguments: str,
    limit_s: float = PATIENCE_S,
    environment: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Run code in a process of its own and return its last line, and the last line of its error.

    Parameters
    ----------
    code : str
    arguments : str
        What the code finds in ``sys.argv``.
    limit_s : float
        After which it is killed; by default it has the time that studies give a process of theirs.
    environment : mapping, optional
        Instead of this process's.
    """
    (answer,) = pythons(code, [arguments], limit_s=limit_s, environment=environment)
    return answer


def pythons(
    code: str,
    arguments: Sequence[Sequence[str]],
    *,
    limit_s: float = PATIENCE_S,
    environment: Mapping[str, str] | None = None,
) -> list[tuple[str, str]]:
    """Run code in as many processes at once as there are lists of arguments, as `python` does."""
    running = [
        subprocess.Popen(
            import_path.python("-c", code, *own),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        for own in arguments
    ]
    deadline, answers = time.monotonic() + limit_s, []
    for process in running:
        try:
            out, err = process.communicate(timeout=max(0.01, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            answers.append(("", f"no answer in {limit_s:g} s"))
            continue
        failed = process.returncode != 0
        answers.append((_last(out), (_last(err) or "it died") if failed else ""))
    return answers


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
