"""Who runs a study: a lock in its folder, and requests to the process that holds it.

Two locks, because studies also run where one machine holds the folder on its own disk and serves it
to others: there the ``flock`` of a process of the server and those of its NFS clients, which the
server keeps as locks of byte ranges, do not see each other. So ``request`` has one of those.
"""

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

POLL_EVERY_S = 1.0
REQUESTS = {"stop": signal.SIGTERM, "pause": signal.SIGUSR2}
BOOT = Path("/proc/sys/kernel/random/boot_id")
TAKEN = (errno.EAGAIN, errno.EACCES)


class HeldError(Exception):
    """Another process holds the lock."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The process that holds a study.

    Parameters
    ----------
    pid : int
    host : str
        Empty in locks of raystudy 0.1.0, which hold a number alone.
    started : str
        The boot of its machine and when it started since: no other process has both. Empty where
        the system has no /proc.
    """

    pid: int
    host: str = ""
    started: str = ""

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host or 'another machine'}"

    def is_here(self, folder: Path) -> bool:
        """Return whether its number is that of the same process on this machine."""
        if self.started:
            return self.started == _start_of(self.pid)
        if self.host:
            return self.host == socket.gethostname()
        return _has_open(self.pid, folder / "lock")


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a study for this process, and follow the requests of others.

    Raises
    ------
    HeldError
        If another process holds it.
    """
    with (folder / "lock").open("a") as lock, (folder / "request").open("a+") as request:
        _take(lock, request)
        lock.truncate(0)
        pid = os.getpid()
        me = Owner(pid=pid, host=socket.gethostname(), started=_start_of(pid))
        lock.write(json.dumps(asdict(me)))
        lock.flush()
        request.truncate(0)
        over = threading.Event()
        threading.Thread(target=_follow, args=(folder, over), daemon=True).start()
        try:
            yield
        finally:
            over.set()
            (folder / "request").unlink(missing_ok=True)


def is_held(folder: Path) -> bool:
    """Return whether a process holds a study."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with (folder / "request").open() as request:
            return not _lock_range(request, fcntl.F_RDLCK)
    except FileNotFoundError:
        return False
    except OSError:
        return True


def owner(folder: Path) -> Owner | None:
    """Return which process holds a study, or held it last; None where that is not known."""
    try:
        kept: Any = json.loads((folder / "lock").read_text())
        return Owner(pid=kept) if isinstance(kept, int) else Owner(**kept)
    except (OSError, ValueError, TypeError):
        return None


def send(folder: Path, request: str) -> bool:
    """Leave a request for the process on another machine; return whether it reads any.

    The file is there before: a machine that sees the folder through NFS is late to learn of a new
    one, and reads an old one anew whenever it opens it.
    """
    try:
        with (folder / "request").open("r+") as file:
            file.write(request)
            return True
    except FileNotFoundError:
        return False


def waits(folder: Path) -> bool:
    """Return whether a request has not been read yet."""
    with contextlib.suppress(OSError):
        return bool((folder / "request").read_text())
    return False


def _follow(folder: Path, over: threading.Event) -> None:
    """Signal this process as a request says."""
    while not over.wait(POLL_EVERY_S):
        with contextlib.suppress(OSError):
            number = REQUESTS.get((folder / "request").read_text())
            if number is not None and not over.is_set():
                os.truncate(folder / "request", 0)
                os.kill(os.getpid(), number)


def _take(lock: IO[str], request: IO[str]) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise HeldError from error
    if not _lock_range(request, fcntl.F_WRLCK):
        raise HeldError


def _lock_range(file: IO[str], kind: int) -> bool:
    """Lock a file's bytes for as long as it is open; False: another process has."""
    if not hasattr(fcntl, "F_OFD_SETLK"):  # Linux alone has those that belong to the open file
        return True
    try:
        # struct flock: type, whence, start, length (0: all), process (0), padding
        fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))
    except OSError as error:
        return error.errno not in TAKEN  # else the file system has none
    return True


def _start_of(pid: int) -> str:
    """Return what tells a process of this machine from every other; empty: there is none."""
    try:
        since_boot = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{BOOT.read_text().strip()}/{since_boot}"
    except OSError:
        return ""


def _has_open(pid: int, path: Path) -> bool:
    """Return whether a process of this machine has a file open."""
    try:
        return any(file.samefile(path) for file in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return not Path("/proc/self").exists()
