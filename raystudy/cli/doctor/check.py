"""A check of doctor, and how long it may take."""

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.text import Text

from raystudy import terminal
from raystudy.config import import_path
from raystudy.config.import_path import PATIENCE_S

Verdict = Literal["well", "note", "wrong"]
MARKS = {"well": ("ok", "green"), "note": ("note", "yellow"), "wrong": ("bad", "red")}


@dataclass(frozen=True)
class Check:
    """The result of a check, and how to fix it.

    Parameters
    ----------
    name : str
    verdict : {"well", "note", "wrong"}
        ``wrong``: no study, or not every study, can run.
    found : str
    advice : str
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


Probe = Callable[[], list[Check]]


def run_all(probes: Mapping[str, Probe], limit_s: float) -> Iterator[Check]:
    """Run all probes in parallel, and yield their checks in the order given.

    A probe that exceeds `limit_s` or raises is reported as a failed check.
    """
    queues: dict[str, queue.SimpleQueue[list[Check]]] = {}
    for name, probe in probes.items():
        queues[name] = queue.SimpleQueue()
        threading.Thread(target=_run, args=(name, probe, queues[name]), daemon=True).start()
    deadline = time.monotonic() + limit_s
    for name, results in queues.items():
        try:
            with terminal.announced(name):
                checks = results.get(timeout=max(0.01, deadline - time.monotonic()))
            yield from checks
        except queue.Empty:
            yield Check(name, "wrong", f"no answer in {limit_s:g} s", "the check hangs")


def _run(name: str, probe: Probe, results: "queue.SimpleQueue[list[Check]]") -> None:
    try:
        results.put(probe())
    except Exception as error:  # whatever is broken on this machine
        message = f"{type(error).__name__}: {error}".splitlines()[0]
        results.put([Check(name, "wrong", message)])


def show(console: Console, check: Check) -> None:
    """Print a check and its advice."""
    mark, colour = MARKS[check.verdict]
    line = Text(f"{mark:<5} ", style=colour)
    line.append(f"{check.name:<18} {check.found}", style="default")
    console.print(line, soft_wrap=True)
    if check.advice:
        console.print(Text(f"{'':<25}{check.advice}"), soft_wrap=True)


def python(
    code: str,
    *arguments: str,
    limit_s: float = PATIENCE_S,
    environment: Mapping[str, str] | None = None,
) -> tuple[str, str]:
    """Run code in a new process and return the last lines of its output and of its error.

    Parameters
    ----------
    code : str
    arguments : str
        For ``sys.argv``.
    limit_s : float
        After which it is killed; by default as long as studies wait for their processes.
    environment : mapping, optional
        Instead of this process's environment.
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
    """Run code as `python` does, in one process for each list of arguments, in parallel."""
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
        answers.append(
            (_last(out), (_last(err) or "it exited without a message") if failed else "")
        )
    return answers


def _last(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
