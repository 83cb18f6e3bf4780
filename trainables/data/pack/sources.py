"""What is packed: the files of a folder, or of a tar."""

import bz2
import contextlib
import gzip
import hashlib
import lzma
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Opener = Callable[[Path], Any]
OPENERS: dict[bytes, Opener] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}


class Stamp(NamedTuple):
    """By what it is seen that a file changed."""

    size: int
    changed: int  # ns


class Source(Protocol):
    """Files by their names under the root, with ``/`` between folders."""

    @property
    def files(self) -> Mapping[str, Stamp]:
        """Every file."""

    def read(self, name: str) -> bytes:
        """Return a file's content; several threads may ask."""


def fingerprint(source: Source, names: Iterable[str]) -> str:
    """Return a hash of these files' names, sizes and times of change."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\n{source.files[name]}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


@contextmanager
def open_source(path: Path, scratch: Path) -> Iterator[Source]:
    """Open a folder or a tar.

    Parameters
    ----------
    path : Path
    scratch : Path
        Where a compressed tar is expanded to: images are read from it in any order.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if path.is_dir():
        yield _Folder(path)
    elif path.is_file():
        with _expanded(path, scratch) as plain, _Tar.opened(plain, path) as source:
            yield source
    else:
        raise ValueError(f"{path} is neither a folder nor a tar file.")


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.files = dict(self._walk("", set()))

    def _walk(self, below: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, Stamp]]:
        """Yield every file, in folders that links lead to as well, each folder once."""
        try:
            with os.scandir(self._root / below) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise ValueError(
                f"{self._root}: the folder {below or '.'!r} cannot be read ({error.strerror})."
            ) from None
        for entry in entries:
            with contextlib.suppress(OSError):  # a link that leads nowhere
                status, name = entry.stat(), f"{below}{entry.name}"
                place = (status.st_dev, status.st_ino)
                if stat.S_ISDIR(status.st_mode) and place not in seen:
                    yield from self._walk(f"{name}/", seen | {place})
                elif stat.S_ISREG(status.st_mode):
                    yield name, Stamp(status.st_size, status.st_mtime_ns)

    def read(self, name: str) -> bytes:
        return (self._root / name).read_bytes()


class _Tar:
    def __init__(self, file: int, members: Iterable[tarfile.TarInfo]) -> None:
        self._file = file
        self._places: dict[str, int] = {}
        self.files: dict[str, Stamp] = {}
        for member in members:
            if member.isreg():
                name = member.name.removeprefix("./").lstrip("/")
                self._places[name] = member.offset_data
                self.files[name] = Stamp(member.size, int(member.mtime * 1e9))

    @classmethod
    @contextmanager
    def opened(cls, plain: Path, named: Path) -> Iterator["_Tar"]:
        try:
            with tarfile.open(plain, "r:") as tar, plain.open("rb") as file:
                yield cls(file.fileno(), tar)
        except tarfile.TarError as error:
            raise ValueError(f"{named} is no tar file that can be read ({error}).") from None

    def read(self, name: str) -> bytes:
        size, place = self.files[name].size, self._places[name]
        content = os.pread(self._file, size, place)
        if len(content) < size:
            raise ValueError("is cut off: the tar file ends before")
        return content


@contextmanager
def _expanded(path: Path, scratch: Path) -> Iterator[Path]:
    """Yield the tar itself if it is not compressed, else one that is not."""
    opener = _decompressor(path)
    if opener is None:
        yield path
        return
    plain = scratch / "source.tar"
    try:
        _expand(path, opener, plain)
        yield plain
    finally:
        plain.unlink(missing_ok=True)


def _expand(path: Path, opener: Opener, plain: Path) -> None:
    try:
        with opener(path) as packed, plain.open("wb") as file:
            shutil.copyfileobj(packed, file, 2**20)
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed ({error or 'it is cut off'}).") from None


def _decompressor(path: Path) -> Opener | None:
    with path.open("rb") as file:
        start = file.read(6)
    found = [opener for magic, opener in OPENERS.items() if start.startswith(magic)]
    return found[0] if found else None
