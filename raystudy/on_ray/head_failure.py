"""Exit of a driver whose Ray has died."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import ray

from raystudy.errors import EXIT_FAILED, EXIT_RESUMABLE

POLL_EVERY_S = 1.0


@contextlib.contextmanager
def exit_on_head_failure(
    resume: str, *, patience_s: float, interrupted: Callable[[], bool]
) -> Iterator[None]:
    """End this process with a message when Ray's head, or a local Ray's node, is gone.

    Without its head Ray waits a minute in its own C++, where nothing can interrupt it, and then
    leaves with a stack of log lines; without its only node it waits for ever. What is in the
    journal is safe either way.

    Parameters
    ----------
    resume : str
        The command that continues the study.
    patience_s : float
        How long the head may be out of reach; below Ray's 60 s.
    interrupted : callable () -> bool
        Whether the study was asked to end: who signals all its processes at once, as batch
        systems do, ends Ray first.
    """
    over = threading.Event()

    def leave(part: str) -> None:
        _leave(resume, part, interrupted=interrupted())

    address = ray.get_runtime_context().gcs_address
    thread = threading.Thread(target=_hold, args=(address, patience_s, over, leave), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _hold(
    address: str, patience_s: float, over: threading.Event, leave: Callable[[str], None]
) -> None:
    answered = time.monotonic()
    while not over.wait(POLL_EVERY_S):
        now = time.monotonic()
        if _answers(address):
            answered = now
        elif now - answered > patience_s:
            leave("head")
        if _local_node_is_gone():
            leave("node")


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=POLL_EVERY_S):
            return True
    except OSError:
        return False


def _local_node_is_gone() -> bool:
    """Return whether the raylet that was started here has ended, as it does with its agents."""
    node = ray._private.worker._global_node
    raylets = node.all_processes.get("raylet", []) if node is not None else []
    return any(info.process.poll() is not None for info in raylets)


def _leave(resume: str, part: str, *, interrupted: bool) -> None:
    show_cursor = "\x1b[?25h" if sys.stdout.isatty() else ""
    sys.stdout.flush()
    sys.stderr.write(
        f"{show_cursor}\nraystudy: Ray has died (its {part} process is gone); finished "
        f"epochs are safe.\ncontinue with: {resume}\n"
    )
    sys.stderr.flush()
    with contextlib.suppress(Exception):
        _end_local_ray()
    os._exit(EXIT_RESUMABLE if interrupted else EXIT_FAILED)


def _end_local_ray() -> None:
    """End what is left of this machine's own Ray, the raylet's agents included."""
    node = ray._private.worker._global_node
    if node is None:
        return
    heads = [info.process.pid for infos in node.all_processes.values() for info in infos]
    for pid in [*heads, *_descendants(heads)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _descendants(pids: Sequence[int]) -> list[int]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [child for pid in pids for child in children.get(pid, [])]
    return [*found, *_descendants(found)] if found else []
