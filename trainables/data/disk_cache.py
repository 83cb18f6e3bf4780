"""Something slow made once and kept in a file, whoever asks for it at the same time."""

import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor

try:
    import fcntl
except ImportError:  # Windows has no such lock: several processes may then do the same work
    fcntl = None  # type: ignore[assignment]


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process is here; the system frees the lock of a process that dies."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        if fcntl is not None:
            with suppress(OSError):  # some network file systems have no locks
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def kept(path: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Return the tensors in the file `path`, which `make` makes if there is none.

    The file is mapped, not read: processes on one machine share its memory, and what nobody
    touches costs nothing. It appears whole or not at all; a damaged one is made anew.
    """
    found = _read(path)
    if found is None:
        with alone(path.with_suffix(".lock")):
            found = _read(path)  # another process may have been quicker
            if found is None:
                _write(path, make())
                found = _read(path)
    if found is None:
        raise OSError(f"{path} was written and cannot be read.")
    return found


def _read(path: Path) -> dict[str, Tensor] | None:
    try:
        str(path).encode()
        mapped = True
    except UnicodeEncodeError:  # torch maps no file whose name is not UTF-8
        mapped = False
    try:
        tensors: dict[str, Tensor] = torch.load(path, mmap=mapped, weights_only=True)
    except (FileNotFoundError, RuntimeError, EOFError, pickle.UnpicklingError):
        return None
    return tensors


def _write(path: Path, tensors: dict[str, Tensor]) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            torch.save(tensors, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except RuntimeError:  # torch keeps the system's reason to itself; mostly the disk is full
        needed = sum(tensor.nbytes for tensor in tensors.values())
        raise OSError(f"{needed / 1e6:.0f} MB could not be written") from None
    finally:
        part.unlink(missing_ok=True)
